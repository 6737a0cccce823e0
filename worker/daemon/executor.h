// Where a task runs: a slot with its warm child in the worker, a script in tests.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "worker/daemon/warm_child.h"

namespace slipway {

// Why a slot is told to give its task up.
enum class Abandon {
  kNo,
  kLost,      // the lease is another worker's now, or the request was cancelled: nothing more to say about the task
  kDraining,  // the worker ends: the task goes back uncounted
};

class Executor {
 public:
  virtual ~Executor() = default;
  // Runs the task to its end in a child of `tenant`, a fresh one after anything but a result. An error: no child can be had (the machine's).
  virtual absl::StatusOr<Execution> Execute(const TaskMessage& task, const std::vector<int>& blobs,
                                            const std::string& tenant,
                                            const std::function<void(const std::string&)>& progress) = 0;
  // Holds the result's files until the next Execute.
  virtual std::filesystem::path scratch() const = 0;
  // Whether the running task has been given up; a child killed for it returns kDied.
  virtual Abandon abandoned() const = 0;
};

}  // namespace slipway
