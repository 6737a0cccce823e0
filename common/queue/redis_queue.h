// The queue over one Redis.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
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
  absl::StatusOr<std::unique_ptr<Subscription>> Subscribe(const std::string& request) override;
  absl::StatusOr<std::vector<WorkerView>> ListWorkers() override;
  absl::StatusOr<QueueDepth> Depth() override;
  absl::StatusOr<int> Maintain() override;

  // redis_tasks.cc
  absl::StatusOr<std::optional<LeasedTask>> Lease(const LeaseRequest& request) override;
  absl::Status WaitForWork(const std::vector<std::string>& classes, absl::Time deadline) override;
  absl::StatusOr<CommitOutcome> Commit(const TaskCommit& commit) override;
  absl::StatusOr<CommitOutcome> Return(const LeasedTask& task, const TaskReturn& how) override;
  absl::Status Progress(const LeasedTask& task, const std::string& progress) override;
  absl::StatusOr<std::vector<std::string>> Heartbeat(const WorkerView& self,
                                                     const std::vector<std::string>& tokens) override;
  absl::Status OnCancelled(std::function<void(const std::string& request)> callback) override;
  absl::Status RemoveWorker(const std::string& worker) override;

  absl::Status Ping() override;
  absl::StatusOr<std::string> FarmId() override;

 private:
  absl::StatusOr<bool> CancelFor(const std::string& request, const std::string& waiter);
  using Use = std::function<absl::StatusOr<Reply>(Connection&, absl::Time deadline)>;

  // Runs `use` on a connection, and once more on a new one if that one was lost: everything here may be repeated. `call`
  // names it in metrics.
  absl::StatusOr<Reply> Execute(std::string_view call, const Use& use);
  absl::StatusOr<Reply> Attempt(const Use& use);
  absl::StatusOr<Reply> RunScript(std::string_view name, std::vector<std::string> arguments);
  absl::StatusOr<Reply> RunCommand(std::vector<std::string> arguments);
  std::string Key(std::string_view name) const { return prefix_ + std::string(name); }
  absl::StatusOr<int> MaintainOnce(bool& more);

  const QueueOptions options_;
  const std::string prefix_;  // "{slipway:<shard>}:v2:"
  const Endpoint endpoint_;
  Pool pool_;
  Pool waiting_;  // for WaitForWork, which keeps a connection for up to a second
  std::mutex listeners_mutex_;
  std::vector<std::unique_ptr<Listener>> listeners_;
};

std::string KeyPrefix(const QueueOptions& options);

}  // namespace slipway
