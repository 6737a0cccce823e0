// What Ctrl-C, and Ctrl-C again, run.
#include "client/lib/interrupts.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <semaphore>

namespace slipway {
namespace {

class InterruptsDeathTest : public ::testing::Test {
 protected:
  InterruptsDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

  static void Hang() {
    for (;;) pause();
  }
  [[noreturn]] static void LeaveBySecondSignal() {
    alarm(20);  // ends what hangs
    Interrupts::Block();
    std::binary_semaphore begun(0);
    const auto first = [&] {
      begun.release();
      Hang();  // as a farm that does not answer lets it
    };
    Interrupts interrupts;
    interrupts.Start(
        first, [] { _exit(7); }, [] {}, absl::InfiniteFuture());
    kill(getpid(), SIGINT);
    begun.acquire();
    kill(getpid(), SIGINT);
    for (;;) pause();
  }
  [[noreturn]] static void LeaveAfterTheDeadline() {
    alarm(20);  // ends what hangs
    Interrupts::Block();
    std::binary_semaphore begun(0);
    const auto late = [&] {
      begun.release();
      Hang();
    };
    Interrupts interrupts;
    interrupts.Start([] { _exit(8); }, [] { _exit(7); }, late, absl::InfinitePast());
    begun.acquire();
    kill(getpid(), SIGINT);
    for (;;) pause();
  }
};

TEST_F(InterruptsDeathTest, TheSecondSignalWaitsForNobody) {
  EXPECT_EXIT(LeaveBySecondSignal(), ::testing::ExitedWithCode(7), "");
}

TEST_F(InterruptsDeathTest, ASignalDoesNotWaitForTheDeadlinesCall) {
  EXPECT_EXIT(LeaveAfterTheDeadline(), ::testing::ExitedWithCode(8), "");
}

}  // namespace
}  // namespace slipway
