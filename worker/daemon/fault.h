// Whose fault it is that a task's process ended without a result (docs/worker.md, "Whose fault").
#pragma once

#include <string>

#include "absl/status/status.h"
#include "worker/daemon/retry.h"
#include "worker/daemon/warm_child.h"

namespace slipway {

struct Fault {
  Failure failure = Failure::kMachine;
  std::string reason;  // one line
};

// What the reason ends with when a task needed more memory than it gets.
inline constexpr char kOverTaskMemory[] = "(--task-memory)";
// Whether a child's status says so.
bool IsOverTaskMemory(const absl::Status& status);

// `execution` ended by anything but kResult, and nobody here asked for that.
Fault FaultOf(const Execution& execution, absl::Duration task_timeout);

}  // namespace slipway
