// One leased task from its spec to its commit: the part of a worker that talks to the store and the queue.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/queue/queue.h"
#include "common/store/store.h"
#include "common/store/verified.h"
#include "common/task/task.h"
#include "worker/daemon/action_cache.h"
#include "worker/daemon/blob_cache.h"
#include "worker/daemon/breaker.h"
#include "worker/daemon/executor.h"
#include "worker/daemon/retry.h"
#include "worker/daemon/task_metrics.h"
#include "worker/jail/jail.h"

namespace slipway {

struct TaskRunnerOptions {
  std::string worker;                               // id, for the manifest
  JailLevel jail = JailLevel::kNone;                // of the children, for the manifest
  absl::Duration task_timeout = absl::Minutes(10);  // for messages; the executor enforces it
  absl::Duration judge_timeout = absl::Minutes(2);  // for one answer of a judge
  absl::Duration lease = absl::Seconds(15);         // of a worker that is silent for longer nothing is expected
  absl::Duration retry_delay = absl::Seconds(4);    // before the machine is tried again, see retry.h
  std::string runtimes;                             // RuntimesOf the judges' interpreter
  bool cache = true;                                // takes and keeps results, see ActionCache
  bool sole = false;                                // the farm's only worker, whose user waits at this machine: even a
                                                    // store that is down counts, and is told with its paths
  uint64_t seed = 0;                                // of its jitter: every worker has its own
};

// Thread-safe: one for all slots. `queue` and `store` outlive it.
class TaskRunner {
 public:
  TaskRunner(Queue& queue, Store& store, TaskRunnerOptions options)
      : queue_(queue), store_(store), options_(std::move(options)), jitter_(options_.seed), actions_(store) {}

  // What became of a request to lease along with a commit.
  using Leased = absl::StatusOr<std::optional<LeasedTask>>;
  struct Ended {
    Health machine = Health::kUnsaid;
    std::string reason;            // of a machine that is broken
    std::optional<Leased> leased;  // nullopt when nothing was asked
  };

  // Runs `task`, unless what it would make is kept, and settles it: every blob of the result is stored and pinned first, then one commit; or it is returned to the queue; or, when it is no
  // longer this worker's, nothing. The outcome is logged. A commit asks for `next` in the same exchange, if that is given (as it is then).
  Ended Run(const LeasedTask& task, Executor& executor, const std::function<std::optional<LeaseRequest>()>& next = {});

 private:
  // What is to be said of a task at its end.
  struct Settlement {
    enum class What { kCommit, kReturn, kNothing } what = What::kNothing;
    TaskState state = TaskState::kFailed;
    std::string result, reason;
    TaskReturn how;                                 // of a task that goes back
    std::unique_ptr<BlobPins> pins;                 // of a result that no request names yet
    absl::Time commit_by = absl::InfiniteFuture();  // later they may not hold
    Health machine = Health::kUnsaid;
  };
  // A blob as an open file, and what it was when its bytes had just been verified.
  struct Input {
    Digest digest;
    UniqueFd file;
    FileIdentity identity;
  };
  struct StoredResult {
    Digest digest;
    std::unique_ptr<BlobPins> pins;
    absl::Time commit_by = absl::InfiniteFuture();
  };

  Settlement Decide(const LeasedTask& task, Executor& executor, TaskMeter& meter);
  // Of an error in reading what the task needs, which becomes the missing mount's where that is why a blob is missing.
  Failure FailureToRead(absl::Status& status);
  absl::StatusOr<TaskMessage> Describe(const LeasedTask& task, const RequestSpec& spec);
  absl::StatusOr<std::vector<Input>> OpenBlobs(const LeasedTask& task, const std::vector<Digest>& digests);
  // DATA_LOSS if a file is another than OpenBlobs() found.
  static absl::Status CheckUnchanged(const std::vector<Input>& blobs);
  // Stores the files and the result blob.
  absl::StatusOr<StoredResult> StoreResult(const LeasedTask& task, const TaskMessage& message, const TaskOutput& output,
                                           const std::filesystem::path& scratch);
  // Stores the result's blob and keeps all that it names, stored or used since `begun`, from the garbage until its commit.
  absl::StatusOr<StoredResult> StoreAndPin(const std::string& tenant, const TaskResult& result, absl::Time begun);
  // What an earlier task made of the same, as this task's result.
  absl::StatusOr<Settlement> Kept(const LeasedTask& task, const TaskMessage& message, const KeptResult& kept,
                                  absl::Time found);
  Settlement Failed(const LeasedTask& task, const TaskMessage* message, const std::string& reason);
  std::optional<Leased> Commit(const LeasedTask& task, const Settlement& settlement, Executor& executor,
                               TaskMeter& meter, const std::optional<LeaseRequest>& next);
  // `reason`: for the log, with this machine's paths.
  void Return(const LeasedTask& task, const TaskReturn& how, const std::string& reason, const Executor& executor);
  std::optional<TaskReturn> RetryOf(Failure failure, const LeasedTask& task, const std::string& reason);
  // The words for other machines.
  std::string Words(const absl::Status& status) const;
  // Whether a worker that has been heard of lately offers the task more memory.
  bool MoreMemoryIsOffered(const LeasedTask& task);

  Queue& queue_;
  Store& store_;
  const TaskRunnerOptions options_;
  std::mutex jitter_mutex_;
  Random jitter_;
  ActionCache actions_;
  BlobCache<RequestSpec> specs_;
  BlobCache<TaskResult> prepared_;
};

}  // namespace slipway
