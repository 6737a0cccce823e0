#include "client/lib/interrupts.h"

#include <csignal>
#include <ctime>
#include <vector>

#include "absl/time/clock.h"

namespace slipway {
namespace {

int Wake() { return SIGRTMIN; }  // only from Stop() to our own thread

sigset_t Signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, number);
  sigaddset(&set, Wake());
  return set;
}

}  // namespace

void Interrupts::Block() {
  const sigset_t set = Signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

void Interrupts::Start(std::function<void()> first, std::function<void()> second, std::function<void()> late,
                       absl::Time deadline) {
  thread_ = std::jthread([=](std::stop_token stop) {
    const sigset_t set = Signals();
    bool interrupted = false, was_late = false;
    // They may ask a farm that does not answer, and who presses Ctrl-C again is not to wait for that.
    std::vector<std::jthread> acting;
    while (!stop.stop_requested()) {
      const absl::Duration left = was_late ? absl::InfiniteDuration() : deadline - absl::Now();
      if (left <= absl::ZeroDuration()) {
        was_late = true;
        acting.emplace_back(late);
        continue;
      }
      const timespec wait = absl::ToTimespec(std::min(left, absl::Hours(1)));
      const int number = sigtimedwait(&set, nullptr, &wait);
      if (number < 0 || number == Wake()) continue;
      if (interrupted) second();
      interrupted = true;
      acting.emplace_back(first);
    }
  });
}

void Interrupts::Stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  pthread_kill(thread_.native_handle(), Wake());
  thread_.join();
}

}  // namespace slipway
