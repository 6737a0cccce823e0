// The real slipway-worker, with a real Redis and store, for tests from the outside.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/queue/queue.h"
#include "common/store/store.h"
#include "common/task/task.h"
#include "tests/support/redis.h"

namespace slipway {

// One slipway-worker process; killed with its object.
class WorkerProcess {
 public:
  // Returns once it says that it is ready, unless `await_ready` is false.
  explicit WorkerProcess(std::vector<std::string> arguments, bool await_ready = true);
  ~WorkerProcess();

  pid_t pid() const { return pid_; }
  void Signal(int signal) const {
    if (pid_ > 0) kill(pid_, signal);
  }
  // Waits for a text in its output; false if that does not come within 30 s, or it ends first.
  bool Says(const std::string& text);
  // Its exit code, or -signal; nullopt if it does not end in 30 s.
  std::optional<int> Exit();
  void CloseParentPipe() { parent_.Reset(); }
  // The zygote, children and hosts.
  std::vector<pid_t> Below() const;
  // The one child of a worker of one slot; kNoProcess if there is none.
  pid_t ConverterChild() const;
  const std::string& output() const { return output_text_; }  // after Exit()

 private:
  pid_t pid_ = -1;
  UniqueFd parent_, output_;
  std::string output_text_;
};

// Redis, store and scratch folder for one test.
class WorkerTest : public ::testing::Test {
 protected:
  WorkerTest();
  // --redis, --store, --scratch, one slot, and `more`.
  std::vector<std::string> Arguments(std::vector<std::string> more = {}) const;
  std::string Submit(const RequestSpec& spec, const std::vector<QueuedTask>& tasks);
  std::string SubmitNoops(int count);
  std::vector<TaskView> Tasks(const std::string& request) { return *queue_->ListTasks(request, 0, 1000); }
  bool AllEnd(const std::string& request, absl::Duration patience = absl::Seconds(60));
  bool Runs(const std::string& request);  // waits until its first task is leased
  // Leases for the test itself, as soon as there is something to lease.
  LeasedTask LeaseForTest(absl::Duration lease);
  bool ScratchIsEmpty() const;

  RedisServer redis_;
  TemporaryFolder folder_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Queue> queue_;
};

}  // namespace slipway
