// The queue over one Redis.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/queue/pool.h"
#include "common/queue/queue.h"
#include "common/queue/subscription.h"

namespace slipway {

class RedisQueue final : public Queue {
 public:
  RedisQueue(const QueueOptions& options, Endpoint endpoint);

  // redis_requests.cc
  absl::StatusOr<std::string> Submit(const QueuedRequest& request) override;
  absl::StatusOr<std::optional<RequestView>> FindEqual(const std::string& tenant,
                                                       const std::string& request_digest) override;
  absl::Status Cancel(const std::string& request) override;
  absl::StatusOr<bool> Leave(const std::string& request, const std::string& idempotency_key) override;
  absl::StatusOr<uint32_t> Retry(const std::string& request) override;
  absl::Status Delete(const std::string& request) override;
  absl::StatusOr<RequestView> GetRequest(const std::string& request) override;
  absl::StatusOr<std::vector<TaskView>> ListTasks(const std::string& request, uint64_t since_version,
                                                  uint32_t limit) override;
  absl::StatusOr<std::pair<std::vector<RequestView>, std::string>> ListRequests(const std::string& tenant,
                                                                                uint32_t limit,
                                                                                const std::string& page_token) override;
  std::unique_ptr<Changes> FollowChanges(Changes::OnChange on_change) override;
  absl::StatusOr<std::vector<WorkerView>> ListWorkers() override;
  absl::StatusOr<QueueDepth> Depth() override;
  absl::StatusOr<int> Maintain() override;

  // redis_tasks.cc
  absl::StatusOr<std::optional<LeasedTask>> Lease(const LeaseRequest& request) override;
  absl::StatusOr<std::optional<LeasedTask>> AwaitLease(const LeaseRequest& request) override;
  absl::Status Rouse(const std::string& worker, int waits) override;
  absl::StatusOr<CommitOutcome> Commit(const TaskCommit& commit) override;
  CommittedAndLeased CommitAndLease(const TaskCommit& commit, const LeaseRequest& next) override;
  absl::StatusOr<CommitOutcome> Return(const LeasedTask& task, const TaskReturn& how) override;
  absl::Status Progress(const LeasedTask& task, const std::string& progress) override;
  absl::StatusOr<std::vector<std::string>> Heartbeat(const WorkerView& self,
                                                     const std::vector<std::string>& tokens) override;
  absl::Status OnCancelled(std::function<void(const std::string& request)> callback) override;
  absl::Status RemoveWorker(const std::string& worker) override;

  absl::Status Ping() override;
  absl::StatusOr<std::string> FarmId() override;
  absl::Status NoteStore(std::string_view file_system) override;
  absl::StatusOr<NotedStore> Noted() override;

 private:
  absl::StatusOr<bool> CancelFor(const std::string& request, const std::string& waiter);
  using Use = std::function<absl::Status(Connection&, absl::Time deadline)>;

  // Runs `use` on a connection, and once more on a new one if that one was lost: everything here may be repeated.
  absl::Status Attempt(Pool& pool, absl::Time deadline, const Use& use);
  static void Measure(std::string_view call, absl::Time start, const absl::Status& status);
  // The same, measured as `call`.
  absl::StatusOr<Reply> Execute(std::string_view call,
                                const std::function<absl::StatusOr<Reply>(Connection&, absl::Time deadline)>& use);
  absl::StatusOr<Reply> RunScript(std::string_view name, std::vector<std::string> arguments);
  absl::StatusOr<Reply> RunCommand(std::vector<std::string> arguments);
  // A command, or a script with its arguments.
  struct Call {
    std::string_view script;  // empty: `arguments` are the command
    std::vector<std::string> arguments;
  };
  // Sent together, repeated together; the answer to each. `blocks`: how long they may stand at the server by intent.
  using Replies = std::vector<absl::StatusOr<Reply>>;
  absl::StatusOr<Replies> RunTogether(Pool& pool, std::span<const Call> calls,
                                      absl::Duration blocks = absl::ZeroDuration());
  absl::StatusOr<Call> CommitCall(const TaskCommit& commit) const;
  absl::StatusOr<Call> LeaseCall(const LeaseRequest& request) const;
  std::string Key(std::string_view name) const { return prefix_ + std::string(name); }
  absl::StatusOr<int> MaintainOnce(bool& more);

  const QueueOptions options_;
  const std::string prefix_;  // "{slipway:<shard>}:v5:"
  const Endpoint endpoint_;
  Pool pool_;
  Pool waiting_;  // for those who wait for work, and keep a connection for up to a second
  std::mutex listeners_mutex_;
  std::vector<std::unique_ptr<Listener>> listeners_;
};

std::string KeyPrefix(const QueueOptions& options);

}  // namespace slipway
