// Whose fault it is that a task's process ended without a result (docs/worker.md, "Whose fault").
#pragma once

#include <string>

#include "common/base/error.h"
#include "worker/daemon/warm_child.h"

namespace slipway {

struct Fault {
  ErrorKind kind = ErrorKind::kMachine;  // kModel or kMachine
  bool try_again_here = false;           // once more in a fresh child, before the model is blamed for good
  std::string reason;                    // one line
};

// `execution` ended by anything but kResult, and nobody here asked for that.
Fault FaultOf(const Execution& execution, absl::Duration task_timeout);

}  // namespace slipway
