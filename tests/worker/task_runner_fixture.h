// A task runner on a real Redis and a real store; what runs in the child is a script.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/random.h"
#include "common/store/layout.h"
#include "tests/support/redis.h"
#include "tests/worker/support.h"
#include "worker/daemon/task_runner.h"

namespace slipway {

class ScriptedExecutor final : public Executor {
 public:
  using Step = std::function<Execution(const TaskMessage&, const std::vector<int>&)>;
  ScriptedExecutor() : folder_(*TemporaryFolder::Create(TemporaryFolder::ShortParent(), "executor-")) {}

  absl::StatusOr<Execution> Execute(const TaskMessage& task, const std::vector<int>& blobs, const std::string& tenant,
                                    const std::function<void(const std::string&)>& progress) override {
    progress("converting");
    const Step step = steps.size() > 1 ? steps[runs] : steps.at(0);
    ++runs;
    std::filesystem::create_directory(folder_.path());
    Execution execution = step(task, blobs);
    if (execution.end != Execution::End::kResult)
      std::filesystem::remove_all(folder_.path());  // it goes with its child
    return execution;
  }
  std::filesystem::path scratch() const override { return folder_.path(); }
  Abandon abandoned() const override {
    if (when_asked) when_asked();
    return abandon;
  }

  std::vector<Step> steps;  // one a run; a single one for all
  Abandon abandon = Abandon::kNo;
  std::function<void()> when_asked;
  int runs = 0;

 private:
  TemporaryFolder folder_;
};

inline Execution Answers(absl::StatusOr<TaskOutput> output) {
  Execution execution;
  execution.end = Execution::End::kResult;
  execution.output = std::move(output);
  return execution;
}

inline Execution Dies(int signal) {
  Execution execution;
  execution.end = Execution::End::kDied;
  execution.exit = {.id = 1, .pid = 4711, .signal = signal};
  return execution;
}

class ForwardingStore : public Store {
 public:
  explicit ForwardingStore(Store& store) : store_(store) {}
  absl::StatusOr<std::vector<Digest>> FindMissing(std::string_view tenant, std::span<const Digest> wanted) override {
    return store_.FindMissing(tenant, wanted);
  }
  absl::StatusOr<std::unique_ptr<BlobReader>> Open(std::string_view tenant, const Digest& digest,
                                                   uint64_t offset) override {
    return store_.Open(tenant, digest, offset);
  }
  absl::StatusOr<std::unique_ptr<BlobWriter>> Create(std::string_view tenant, const Digest& digest) override {
    return store_.Create(tenant, digest);
  }
  absl::StatusOr<UniqueFd> OpenLocal(std::string_view tenant, const Digest& digest) override {
    return store_.OpenLocal(tenant, digest);
  }
  absl::StatusOr<Digest> PutFile(std::string_view tenant, const std::filesystem::path& file) override {
    return store_.PutFile(tenant, file);
  }

 private:
  Store& store_;
};

class TaskRunnerTest : public testing::Test {
 protected:
  explicit TaskRunnerTest(const RedisOptions& redis = {})
      : redis_(redis), folder_(*TemporaryFolder::Create(TemporaryFolder::ShortParent(), "runner-")) {
    store_ = *OpenLocalStore({folder_.path() / "store", true});
    queue_ = *ConnectQueue({.address = redis_.address(), .lease = absl::Milliseconds(400), .max_attempts = 3});
  }

  // A request of one cell whose model is the blob "weights".
  std::string Submit(const std::string& kind = "onnx") {
    RequestSpec spec;
    SpecModel model{"pnet", kind, "", {}};
    if (kind != "noop")
      model.files = {{"zoo/pnet.onnx", "", input_.value_or(*WriteBlob(*store_, "default", "weights"))}};
    spec.models = {model};
    spec.tasks = {{SpecTask::Kind::kCell, 0, "onnx", "fp32", -1}};
    spec.fresh = fresh_;
    QueuedRequest request;
    request.id = "0-" + RandomHex(8);
    request.spec = spec.ToJson();
    request.tasks = {{.index = 0}};
    EXPECT_EQ(*queue_->Submit(request), request.id);
    return request.id;
  }
  LeasedTask Lease() {
    std::optional<LeasedTask> task;
    EXPECT_TRUE(Holds([&] {
      auto leased = queue_->Lease({"worker-1", RandomHex(16), {"any"}});
      EXPECT_TRUE(leased.ok()) << leased.status();
      task = leased.ok() ? *leased : std::nullopt;
      return task.has_value() || queue_->Maintain().value_or(0) < 0;
    }));
    return task.value_or(LeasedTask{});
  }
  TaskRunner::Ended Run(const LeasedTask& task) { return Run(task, *store_); }
  TaskRunner::Ended Run(const LeasedTask& task, Store& store) {
    TaskRunnerOptions options;
    options.worker = "worker-1";
    options.jail = JailLevel::kPartial;
    options.retry_delay = absl::ZeroDuration();
    options.cache = cache_;
    options.sole = sole_;
    return TaskRunner(*queue_, store, options).Run(task, executor_);
  }
  TaskView View(const std::string& request) { return queue_->ListTasks(request, 0, 10)->at(0); }
  TaskResult Result(const std::string& request) {
    return *TaskResult::FromJson(*ReadBlob(*store_, "default", *Digest::Parse(View(request).result)));
  }

  // An artifact of two files and its parity figures.
  ScriptedExecutor::Step Converts() {
    return [this](const TaskMessage&, const std::vector<int>&) {
      std::filesystem::create_directories(executor_.scratch() / "artifact" / "Data");
      std::ofstream(executor_.scratch() / "artifact" / "Data" / "weights.bin") << "0123456789";
      std::ofstream(executor_.scratch() / "artifact" / "m.json") << "{}";
      std::ofstream(executor_.scratch() / "parity.json") << R"({"figures":1})";
      TaskOutput output{.state = "passed", .entry = R"({"target":"onnx","precision":"fp32"})"};
      output.files = {"Data/weights.bin", "m.json"};
      output.parity = "parity.json";
      return Answers(output);
    };
  }

  RedisServer redis_;
  TemporaryFolder folder_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Queue> queue_;
  std::optional<Digest> input_;
  bool cache_ = true, fresh_ = false, sole_ = false;
  ScriptedExecutor executor_;
};

}  // namespace slipway
