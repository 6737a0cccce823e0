// What a worker counts about its tasks (docs/operations.md).
#pragma once

#include <string>
#include <string_view>

#include "common/metrics/metrics.h"
#include "common/queue/queue.h"
#include "common/task/task.h"
#include "worker/daemon/retry.h"
#include "worker/daemon/warm_child.h"

namespace slipway {

// Of one task, from its lease to its end. One thread's.
class TaskMeter {
 public:
  static void Leased(absl::Time asked);

  // Begins a phase and ends the one before. Steps of a child ("importing", "converting", "judging" …) are phases;
  // else "fetch", "store", "commit".
  void Enter(std::string_view phase);
  void SetTask(const SpecTask& task);

  void ChildEnded(const Execution& execution);
  void Returned(Failure failure);
  void GaveUp();
  // `outcome`: of the commit; an error: it could not be made.
  void Committed(TaskState state, const absl::StatusOr<CommitOutcome>& outcome);

 private:
  void Leave();

  std::string target_ = "unknown", precision_ = "";
  std::string phase_;
  absl::Time since_, begun_ = metrics::Histogram::Now();
};

}  // namespace slipway
