// Whose fault it is that a task ended without a result (docs/worker.md, "Whose fault").
#pragma once

#include <string>

#include "absl/status/status.h"
#include "convert/runtimes/host_session.h"
#include "worker/daemon/retry.h"
#include "worker/daemon/warm_child.h"

namespace slipway {

struct Fault {
  Failure failure = Failure::kMachine;
  std::string reason;  // one line
};

// Of what a child answered that is the machine's (ErrorKind). A model may make every judge die or err, on any machine.
Failure FailureOf(const absl::Status& answer, bool judged);

// Whether a child's status says that the task needs more memory than it gets.
bool IsOverTaskMemory(const absl::Status& status);

// `execution` ended by anything but kResult, and nobody here asked for that.
Fault FaultOf(const Execution& execution, absl::Duration task_timeout);

}  // namespace slipway
