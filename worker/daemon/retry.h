// What becomes of a task whose attempt failed: one table (docs/worker.md, "Whose fault").
#pragma once

#include <optional>
#include <string>

#include "common/base/random.h"
#include "common/queue/queue.h"

namespace slipway {

enum class Failure {
  kModel,        // its own fault, certainly: the same again on every worker of this build
  kCrash,        // its process was killed by what it did; its own fault unless another worker does better
  kOutOfMemory,  // its process was killed from outside
  kMemoryLimit,  // it needs more than a task gets here
  kMachine,      // disk, memory; judges that do not start
  kUnclear,      // the machine's, or wherever it runs: a blob that is lost, judges that die or err at work
  kDrained,      // the worker ends
  kVersion,      // its request was written in a form that this build does not know
  kStoreDown,    // the store is away, read-only, full or refuses the farm: as long as that takes
};

// How the task goes back; nullopt: it is failed. A task that has killed a process before is not tried again after a crash.
// kMemoryLimit goes back only for a worker with more memory: whether there is one the caller knows.
// Machines' failures go to another worker at once; from the second counted one on, or where there is no other, they wait `base`, doubled with each
// counted one up to a minute, times 0.5 to 1.5 from `jitter`.
std::optional<TaskReturn> RetryOf(Failure failure, const LeasedTask& task, const std::string& reason,
                                  absl::Duration base, Random& jitter);

}  // namespace slipway
