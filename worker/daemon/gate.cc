#include "worker/daemon/gate.h"

#include <algorithm>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/metrics/metrics.h"

namespace slipway {
namespace {

const metrics::Gauge kPaused("slipway_worker_paused",
                             "1 while this worker pauses because its machine fails, and until a task ends well.");

constexpr absl::Duration kLookAgain = absl::Seconds(1);  // at the latest, while the breaker is open

}  // namespace

LeaseGate::LeaseGate(bool pauses) : pauses_(pauses) { kPaused.Set({}, 0); }

bool LeaseGate::MayLeaseLocked(const Slot& slot) { return !draining_ && breaker_.MayLease(&slot, SteadyNow()); }

void LeaseGate::LeaveLocked() {
  if (--active_ == 0) changed_.notify_all();
}

bool LeaseGate::Enter(const Slot& slot) {
  std::unique_lock lock(mutex_);
  while (!MayLeaseLocked(slot)) {
    if (draining_) return false;
    const absl::Duration wait = std::min(breaker_.AskAgain() - SteadyNow(), kLookAgain) + absl::Milliseconds(1);
    changed_.wait_for(lock, absl::ToChronoMilliseconds(wait));
  }
  ++active_;
  return true;
}

bool LeaseGate::MayLease(const Slot& slot) {
  std::lock_guard lock(mutex_);
  return MayLeaseLocked(slot);
}

void LeaseGate::Leave() {
  std::lock_guard lock(mutex_);
  LeaveLocked();
}

bool LeaseGate::AwaitTurn(const Slot& slot) {
  std::unique_lock lock(mutex_);
  LeaveLocked();
  turn_.wait(lock, [this] { return draining_ || waiting_ < kWaitingSlots; });
  if (!MayLeaseLocked(slot)) {
    turn_.notify_one();
    return false;
  }
  ++waiting_;
  ++active_;
  return true;
}

void LeaseGate::EndTurn() {
  {
    std::lock_guard lock(mutex_);
    --waiting_;
  }
  turn_.notify_one();
}

void LeaseGate::Learn(const Slot& slot, Health machine, const std::string& reason) {
  if (!pauses_ || machine == Health::kUnsaid) return;
  std::lock_guard lock(mutex_);
  const bool was_open = breaker_.open();
  if (const auto pause = breaker_.Ended(&slot, machine, SteadyNow())) {
    LogWarning(
        "takes no task for a while: this machine fails",
        {{"for", absl::FormatDuration(*pause)},
         {"reason", reason},
         {"mend", "free space or memory, bring back the store or the runtimes; one task is tried after each pause"}});
  }
  if (was_open && !breaker_.open()) LogInfo("takes tasks again");
  if (was_open == breaker_.open()) return;
  kPaused.Set({}, breaker_.open() ? 1 : 0);
  changed_.notify_all();
}

void LeaseGate::Drain() {
  std::lock_guard lock(mutex_);
  draining_ = true;
  changed_.notify_all();
  turn_.notify_all();
}

bool LeaseGate::draining() {
  std::lock_guard lock(mutex_);
  return draining_;
}

bool LeaseGate::AwaitIdle(absl::Duration patience) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, absl::ToChronoMilliseconds(patience), [this] { return active_ == 0; });
}

void LeaseGate::Pause(absl::Duration pause) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, absl::ToChronoMilliseconds(pause), [this] { return draining_; });
}

}  // namespace slipway
