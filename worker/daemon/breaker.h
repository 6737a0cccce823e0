// The circuit breaker between a worker and the queue: a worker whose machine is broken (disk, memory, mount, judges) hands on every task
// that it takes, and must not do so with the whole queue (docs/worker.md, "A broken machine").
#pragma once

#include <optional>

#include "absl/time/time.h"

namespace slipway {

// How a task ended, as far as it tells something about the machine.
enum class Health {
  kWell,    // it was run and its result stored
  kBroken,  // the machine failed
  kUnsaid,  // anything else
};

// Closed, every slot may lease. Opened by failures in a row, of all slots, it pauses; then one slot tries one task at a time, until one
// ends well (closed again) or fails (the next pause, twice as long). Not thread-safe.
class Breaker {
 public:
  static constexpr int kFailures = 3;
  static constexpr absl::Duration kFirstPause = absl::Seconds(1), kLongestPause = absl::Minutes(1);

  // Whether `slot`, any pointer that names it, may lease at `now`. The first that may after a pause is who tries: the others may not
  // before its task has ended, and it has to lease.
  bool MayLease(const void* slot, absl::Time now);
  // When a slot that may not should ask again; whatever Ended() closes or opens comes before.
  absl::Time AskAgain() const { return tries_ == nullptr ? pause_end_ : absl::InfiniteFuture(); }
  // A task of `slot` ended. The pause that begins with it, if one does. Failures of tasks that were leased before a pause do not lengthen it.
  std::optional<absl::Duration> Ended(const void* slot, Health health, absl::Time now);
  bool open() const { return pause_ > absl::ZeroDuration(); }

 private:
  int failures_ = 0;                             // in a row, while closed
  absl::Duration pause_ = absl::ZeroDuration();  // the last one; zero: closed
  absl::Time pause_end_ = absl::InfinitePast();  // of the last one
  const void* tries_ = nullptr;                  // the slot that tries
};

}  // namespace slipway
