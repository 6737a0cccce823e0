// Which of a worker's slots may lease: none that drains, none while the breaker pauses; few wait at Redis at a time.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>

#include "absl/time/time.h"
#include "worker/daemon/breaker.h"

namespace slipway {

class Slot;

// A slot is active from Enter() to Leave(). Thread-safe.
class LeaseGate {
 public:
  static constexpr int kWaitingSlots = 2;  // at Redis, each with a connection

  // `pauses`: whether failures of the machine open the breaker.
  explicit LeaseGate(bool pauses);

  // Waits while the machine's failures keep the slot from leasing. True: it may, and is active. False: draining.
  bool Enter(const Slot& slot);
  bool MayLease(const Slot& slot);
  void Leave();
  // For an active slot that found nothing ready: at most kWaitingSlots of a worker wait at Redis, so that its connections do not grow with its
  // slots; the others wait here for their turn, which ends with EndTurn(). False when it may lease no more; the slot is then no longer active.
  bool AwaitTurn(const Slot& slot);
  void EndTurn();
  // The breaker learns how a slot's task ended, and of a machine that is broken, why.
  void Learn(const Slot& slot, Health machine, const std::string& reason);

  // From here on no slot leases.
  void Drain();
  bool draining();
  // Whether no slot is active within `patience`.
  bool AwaitIdle(absl::Duration patience);
  // Waits, but not while draining.
  void Pause(absl::Duration pause);

 private:
  bool MayLeaseLocked(const Slot& slot);
  void LeaveLocked();

  const bool pauses_;
  std::mutex mutex_;
  std::condition_variable changed_, turn_;
  Breaker breaker_;
  int active_ = 0;
  int waiting_ = 0;  // of those, slots whose turn it is to wait for work
  bool draining_ = false;
};

}  // namespace slipway
