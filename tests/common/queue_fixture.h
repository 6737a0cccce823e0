// A queue over a redis-server of the test's own, and a way round it to look at keys and to move time.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hiredis/hiredis.h>

#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "common/base/error.h"
#include "common/base/random.h"
#include "common/queue/connection.h"
#include "common/queue/queue.h"
#include "tests/support/redis.h"

namespace slipway {

class QueueTest : public ::testing::Test {
 protected:
  explicit QueueTest(const RedisOptions& options = {.password = "secret", .persistent = false, .config = {}})
      : redis_(options), queue_(Connect()) {}

  QueueOptions Options() const {
    QueueOptions options;
    options.address = redis_.address();
    options.password = redis_.password();
    return options;
  }
  std::unique_ptr<Queue> Connect() const { return ConnectQueue(Options()).value(); }

  static std::string Key(std::string_view name) { return "{slipway:0}:v5:" + std::string(name); }

  // A way past the queue.
  std::unique_ptr<Connection> Open() const {
    return Connection::Open(MakeEndpoint(Options()).value(), absl::Now() + absl::Seconds(5)).value();
  }
  Reply Redis(const std::vector<std::string>& command) const {
    return Open()->Call(command, absl::Now() + absl::Seconds(5)).value();
  }

  static QueuedRequest Request(const std::string& name, int tasks = 1) {
    QueuedRequest request;
    request.id = "0-" + name;
    request.request_digest = "digest-" + name;
    request.spec = "spec-" + name;
    for (int i = 0; i < tasks; ++i) request.tasks.push_back({.index = static_cast<uint32_t>(i)});
    return request;
  }
  // Task 0 prepares, the others are its cells.
  static QueuedRequest PreparedRequest(const std::string& name, int cells) {
    QueuedRequest request = Request(name, cells + 1);
    for (int i = 1; i <= cells; ++i) request.tasks[i].blocked_by = 0;
    return request;
  }
  std::string Submit(const QueuedRequest& request) { return queue_->Submit(request).value(); }

  std::optional<LeasedTask> Lease(const std::string& token = RandomHex(16), const std::string& worker = "w1") {
    return queue_->Lease({.worker = worker, .token = token, .classes = {"any"}}).value();
  }
  CommitOutcome Commit(const LeasedTask& task, TaskState state = TaskState::kPassed, const std::string& result = "",
                       const std::string& reason = "") {
    return queue_
        ->Commit({.request = task.request,
                  .index = task.index,
                  .token = task.token,
                  .state = state,
                  .result = result,
                  .reason = reason})
        .value();
  }
  CommitOutcome Return(const LeasedTask& task, absl::Duration delay, bool counted, const std::string& reason = "why") {
    return queue_->Return(task, {.delay = delay, .count_attempt = counted, .reason = reason}).value();
  }

  // The task as ListTasks shows it.
  TaskView Task(const std::string& request, uint32_t index) {
    std::vector<TaskView> tasks = queue_->ListTasks(request, 0, 100'000).value();
    for (const TaskView& task : tasks) {
      if (task.index == index) return task;
    }
    ADD_FAILURE() << "no task " << index << " in " << request;
    return {};
  }
  TaskState StateOf(const std::string& request, uint32_t index) { return Task(request, index).state; }
  RequestView View(const std::string& request) { return queue_->GetRequest(request).value(); }

  // Changes a field of the request's hash as nobody but a script would.
  void Rewrite(const std::string& request, const std::string& field, const std::string& pattern,
               const std::string& with) {
    const std::string key = Key("request:" + request);
    const std::string before(Text(Redis({"HGET", key, field}).get()));
    const std::string after = std::regex_replace(before, std::regex(pattern), with);
    ASSERT_NE(after, before);
    Redis({"HSET", key, field, after});
  }

  // Sums MEMORY USAGE.
  double MemoryOfAllKeys() const {
    const std::unique_ptr<Connection> redis = Open();
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    const Reply keys = redis->Call(std::vector<std::string>{"KEYS", "*"}, deadline).value();
    int64_t sum = 0;
    for (const redisReply* key : Elements(keys.get())) {
      const std::vector<std::string> usage = {"MEMORY", "USAGE", std::string(Text(key)), "SAMPLES", "0"};
      sum += Number(redis->Call(usage, deadline).value().get());
    }
    return static_cast<double>(sum);
  }

  // Makes the lease look as if its time were over. Maintain must have run before: its first run gives grace.
  void ExpireLease(const std::string& token) { Redis({"ZADD", Key("leases"), "XX", "1", token}); }
  int Maintain() { return queue_->Maintain().value(); }

  RedisServer redis_;
  std::unique_ptr<Queue> queue_;
};

}  // namespace slipway
