// The zygote and what runs on it, with a child that misbehaves on demand.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "absl/time/clock.h"
#include "tests/worker/support.h"
#include "worker/daemon/fault.h"
#include "worker/daemon/warm_child.h"

namespace slipway {
namespace {

using testing::HasSubstr;

absl::Time Soon() { return absl::Now() + absl::Seconds(30); }

class ChildTest : public testing::Test {
 protected:
  Execution Run(WarmChild& child, const std::string& script, absl::Time deadline = Soon()) {
    return child.Run(
        Task(script), {}, "default", [](const std::string&) {}, deadline);
  }
  TestFarmhand farmhand_;
};

TEST_F(ChildTest, IsJailedAndRunsTasks) {
  auto child = farmhand_.Child();
  EXPECT_EQ(*child->AwaitHello(Soon()), JailLevel::kPartial);
  for (int i = 0; i < 3; ++i) {
    const Execution execution = Run(*child, "fine");
    ASSERT_EQ(execution.end, Execution::End::kResult);
    EXPECT_EQ(execution.output->state, "passed");
  }
  TaskMessage noop;
  noop.noop = true;
  EXPECT_EQ(child
                ->Run(
                    noop, {}, "default", [](const std::string&) {}, Soon())
                .end,
            Execution::End::kResult);
  EXPECT_EQ(child->tasks(), 4);
  EXPECT_TRUE(child->Usable());
}

TEST_F(ChildTest, HasOnlyItsOwnDescriptorsAndEnvironment) {
  setenv("SLIPWAY_TEST_SECRET", "hunter2", 1);
  const UniqueFd open_in_the_daemon(open("/dev/null", O_RDONLY));
  TestFarmhand farmhand;  // its zygote is forked with both
  auto child = farmhand.Child();
  EXPECT_EQ(Run(*child, "descriptors").output->reason, "0 1 2 3");
  EXPECT_EQ(Run(*child, "environment").output->reason, "LC_ALL HOME TMPDIR");
  unsetenv("SLIPWAY_TEST_SECRET");
}

TEST_F(ChildTest, ACrashIsTheModelsFault) {
  auto child = farmhand_.Child();
  const Execution execution = Run(*child, "crash");
  EXPECT_EQ(execution.end, Execution::End::kDied);
  EXPECT_EQ(execution.exit.signal, SIGSEGV);
  EXPECT_FALSE(child->Usable());
  const Fault fault = FaultOf(execution, absl::Minutes(1));
  EXPECT_EQ(fault.failure, Failure::kCrash);
  EXPECT_THAT(fault.reason, HasSubstr("SIGSEGV"));
}

TEST_F(ChildTest, AnExitInATaskIsTheModelsFault) {
  const Execution execution = Run(*farmhand_.Child(), "exit");
  EXPECT_EQ(execution.end, Execution::End::kDied);
  EXPECT_EQ(execution.exit.code, 3);
  EXPECT_EQ(FaultOf(execution, absl::Minutes(1)).failure, Failure::kCrash);
}

TEST_F(ChildTest, AHangEndsAtTheDeadline) {
  auto child = farmhand_.Child();
  ASSERT_TRUE(child->AwaitHello(Soon()).ok());
  const pid_t pid = farmhand_.PidOf(child->id());
  const Execution execution = Run(*child, "hang", absl::Now() + absl::Milliseconds(50));
  EXPECT_EQ(execution.end, Execution::End::kTimedOut);
  EXPECT_TRUE(EndsWithin(pid));
  const Fault fault = FaultOf(execution, absl::Seconds(7));
  EXPECT_EQ(fault.failure, Failure::kModel) << "it would take as long again";
  EXPECT_THAT(fault.reason, HasSubstr("7 s"));
}

TEST_F(ChildTest, NonsenseEndsIt) {
  auto child = farmhand_.Child();
  EXPECT_EQ(Run(*child, "nonsense").end, Execution::End::kMisbehaved);
  EXPECT_FALSE(child->Usable());
}

TEST_F(ChildTest, AKillFromOutsideIsTheMachinesFault) {
  auto child = farmhand_.Child();
  ASSERT_TRUE(child->AwaitHello(Soon()).ok());
  const pid_t pid = farmhand_.PidOf(child->id());
  std::thread killer([pid] { kill(pid, SIGKILL); });  // what the kernel does when memory runs out
  const Execution execution = Run(*child, "hang");
  killer.join();
  EXPECT_EQ(execution.exit.signal, SIGKILL);
  const Fault fault = FaultOf(execution, absl::Minutes(1));
  EXPECT_EQ(fault.failure, Failure::kOutOfMemory);
  EXPECT_THAT(fault.reason, HasSubstr("out of memory?"));
}

TEST_F(ChildTest, ABrokenDiskUnderAMappedFileIsTheMachinesFault) {
  Execution execution;
  execution.end = Execution::End::kDied;
  execution.exit = {.id = 1, .pid = 2, .signal = SIGBUS};
  EXPECT_EQ(FaultOf(execution, absl::Minutes(1)).failure, Failure::kMachine);
}

TEST_F(ChildTest, NothingOutlivesTheZygote) {
  auto child = farmhand_.Child();
  ASSERT_TRUE(child->AwaitHello(Soon()).ok());
  const pid_t pid = farmhand_.PidOf(child->id());
  kill(farmhand_.zygote().pid(), SIGKILL);
  EXPECT_TRUE(EndsWithin(pid));
  EXPECT_TRUE(Holds([&] { return farmhand_.zygote_gone(); }));
  EXPECT_FALSE(WarmChild::Spawn(farmhand_.zygote(), farmhand_.scratch(), farmhand_.hosts(), true).ok());
}

TEST_F(ChildTest, ShutdownEndsEverything) {
  auto child = farmhand_.Child();
  ASSERT_TRUE(child->AwaitHello(Soon()).ok());
  const pid_t pid = farmhand_.PidOf(child->id()), zygote = farmhand_.zygote().pid();
  farmhand_.zygote().Shutdown();
  EXPECT_TRUE(EndsWithin(pid, absl::ZeroDuration()));
  EXPECT_TRUE(EndsWithin(zygote, absl::ZeroDuration()));
  EXPECT_FALSE(farmhand_.zygote_gone()) << "it was asked for";
}

class SlotTest : public ChildTest {
 protected:
  SlotTest()
      : slot_(farmhand_.zygote(), farmhand_.scratch(), farmhand_.hosts(),
              {absl::Seconds(30), /*tasks_per_child=*/3, true}) {}

  Execution Execute(const std::string& script, const std::string& tenant = "default") {
    auto execution = slot_.Execute(Task(script), {}, tenant, [](const std::string&) {});
    EXPECT_TRUE(execution.ok()) << execution.status();
    return *std::move(execution);
  }
  Slot slot_;
};

TEST_F(SlotTest, ReplacesItsChildAfterACrashATenantAndItsTerm) {
  ASSERT_TRUE(slot_.Warm().ok());
  const auto first = slot_.scratch();
  Execute("fine");
  slot_.End();
  EXPECT_EQ(slot_.scratch(), first) << "warm";
  Execute("fine", "another");
  const auto second = slot_.scratch();
  EXPECT_NE(second, first) << "one tenant each";
  Execute("crash", "another");
  Execute("fine", "another");
  const auto third = slot_.scratch();
  EXPECT_NE(third, second);
  Execute("fine", "another");
  Execute("fine", "another");
  slot_.End();
  EXPECT_NE(slot_.scratch(), third) << "three tasks are its term";
}

TEST_F(SlotTest, EmptiesTheScratchFolder) {
  Execute("file");
  const auto folder = slot_.scratch();
  EXPECT_TRUE(std::filesystem::exists(folder / "left"));
  slot_.End();
  EXPECT_EQ(slot_.scratch(), folder);
  EXPECT_TRUE(std::filesystem::is_empty(folder));
}

TEST_F(SlotTest, AnAbandonedTaskEndsAtOnce) {
  slot_.Begin("token", "request");
  std::thread abandon([&] {
    slot_.AbandonToken("another token");
    slot_.AbandonRequest("another request");
    EXPECT_EQ(slot_.abandoned(), Abandon::kNo);
    slot_.AbandonToken("token");
  });
  EXPECT_EQ(Execute("hang").end, Execution::End::kDied);
  abandon.join();
  EXPECT_EQ(slot_.abandoned(), Abandon::kLost);
  slot_.End();
  EXPECT_EQ(slot_.abandoned(), Abandon::kNo);
  EXPECT_EQ(Execute("fine").end, Execution::End::kResult);
}

TEST_F(SlotTest, AnAbandonmentBeforeTheChildRunsIsNotLost) {
  slot_.Begin("token", "request");
  slot_.AbandonRequest("request");
  EXPECT_EQ(Execute("hang").end, Execution::End::kDied);
}

TEST_F(SlotTest, AnIdleChildThatWasKilledIsReplaced) {
  ASSERT_TRUE(slot_.AwaitJail(Soon()).ok());
  const auto first = slot_.scratch();
  // The only process below the zygote.
  const std::string children = *ReadFile("/proc/" + std::to_string(farmhand_.zygote().pid()) + "/task/" +
                                         std::to_string(farmhand_.zygote().pid()) + "/children");
  const pid_t pid = std::stoi(children);
  ASSERT_GT(pid, 1);
  kill(pid, SIGKILL);
  ASSERT_TRUE(EndsWithin(pid));
  EXPECT_EQ(Execute("fine").end, Execution::End::kResult);
  EXPECT_NE(slot_.scratch(), first);
}

TEST(Scratch, ADeadWorkersFolderIsRemovedALivingOnesStays) {
  auto parent = *TemporaryFolder::Create(TemporaryFolder::ShortParent(), "scratch-");
  auto living = *WorkerScratch::Create(parent.path());
  const pid_t pid = fork();
  if (pid == 0) {
    auto scratch = WorkerScratch::Create(parent.path());
    if (!scratch.ok() || !scratch->NewFolder("child").ok()) _exit(1);
    _exit(0);  // as if killed: nothing is removed
  }
  int status = -1;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(parent.path()), {}), 4) << "two folders, two locks";
  auto next = *WorkerScratch::Create(parent.path());
  EXPECT_TRUE(std::filesystem::exists(living.path()));
  EXPECT_TRUE(std::filesystem::exists(next.path()));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(parent.path()), {}), 4);
}

}  // namespace
}  // namespace slipway
