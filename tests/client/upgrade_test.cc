// Workers of one build replaced by those of another while requests run; slipway-worker-next is the same worker under another build id.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/time/clock.h"
#include "common/base/clock.h"
#include "common/queue/connection.h"
#include "common/queue/queue.h"
#include "tests/client/command.h"
#include "tests/support/redis.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::Each;
using testing::HasSubstr;

constexpr char kNext[] = "00000000000000ff";

std::vector<pid_t> ChildrenOf(pid_t pid) {
  std::vector<pid_t> children;
  std::error_code error;
  for (const auto& thread : fs::directory_iterator("/proc/" + std::to_string(pid) + "/task", error)) {
    std::ifstream text(thread.path() / "children");
    for (pid_t child; text >> child;) children.push_back(child);
  }
  return children;
}

class UpgradeTest : public testing::Test {
 protected:
  UpgradeTest() {
    coordinator_ = box_.StartProgram(Bin("slipway-coordinator"),
                                     {"--redis", redis_.address(), "--store", Store(), "--listen", server()});
    EXPECT_TRUE(Eventually([&] { return box_.Run({"list"}, Environment()).code == 0; }));
    queue_ = ConnectQueue({.address = redis_.address()}).value();
  }
  ~UpgradeTest() override {
    for (const auto& worker : workers_) worker->Signal(SIGTERM);
    coordinator_->Signal(SIGTERM);
    for (const auto& worker : workers_) EXPECT_EQ(worker->Wait().code, 0);
    EXPECT_EQ(coordinator_->Wait().code, 0);
  }
  static std::string Bin(const std::string& name) { return SLIPWAY_BIN_DIR "/" + name; }
  std::string Store() const { return (box_.work() / "store").string(); }
  std::string server() const { return "unix:" + (box_.work() / "api.sock").string(); }
  slipway::Environment Environment() const { return {{"SLIPWAY_SERVER", server()}}; }

  // Past the queue.
  void Redis(const std::vector<std::string>& command) {
    const absl::Time deadline = SteadyNow() + absl::Seconds(5);
    const Endpoint endpoint = MakeEndpoint({.address = redis_.address()}).value();
    EXPECT_FALSE(IsError(Connection::Open(endpoint, deadline).value()->Call(command, deadline).value().get()));
  }
  std::vector<WorkerView> Registered() { return queue_->ListWorkers().value(); }
  // Starts a worker of one slot and waits until it takes tasks.
  std::unique_ptr<Running> StartWorker(const std::string& binary) {
    const size_t before = Registered().size();
    auto worker = box_.StartProgram(
        Bin(binary), {"--redis", redis_.address(), "--store", Store(), "--slots", "1", "--drain-timeout", "1"});
    EXPECT_TRUE(Eventually([&] { return Registered().size() == before + 1; }));
    return worker;
  }
  // Halts whatever converts for this worker: the task that it has, or gets next, stays with it.
  static void HaltConverters(pid_t worker) {
    for (const pid_t zygote : ChildrenOf(worker)) {
      for (const pid_t child : ChildrenOf(zygote)) {
        if (std::ifstream("/proc/" + std::to_string(child) + "/comm").get() == 's') kill(child, SIGSTOP);
      }
    }
  }
  std::unique_ptr<Running> StartExport(const std::string& name) {
    return box_.Start({"export", name + "=mtcnn-pnet@" + Weights("pnet"), "--target", "onnx,ncnn", "--out", name},
                      Environment());
  }
  json Manifest(const std::string& name) { return json::parse(ReadAll(box_.work() / name / "manifest.json")); }
  // Of its artifacts.
  std::vector<std::string> Builds(const std::string& name) {
    std::vector<std::string> builds;
    const json manifest = Manifest(name);
    for (const json& artifact : manifest["models"][0]["artifacts"]) {
      EXPECT_EQ(artifact["status"], "passed") << artifact["reason"];
      EXPECT_EQ(artifact["attempts"], 1) << name;
      builds.push_back(artifact["build"]);
    }
    EXPECT_EQ(builds.size(), 2u);
    return builds;
  }

  RedisServer redis_;
  Sandbox box_;
  std::unique_ptr<Running> coordinator_;
  std::vector<std::unique_ptr<Running>> workers_;
  std::unique_ptr<Queue> queue_;
};

TEST_F(UpgradeTest, WorkersAreReplacedUnderLoad) {
  std::vector<std::unique_ptr<Running>> old;
  old.push_back(StartWorker("slipway-worker"));
  old.push_back(StartWorker("slipway-worker"));
  const std::string version = Registered()[0].version;
  const std::string first = version.substr(version.find('+') + 1);
  ASSERT_NE(first, kNext);
  ASSERT_EQ(StartExport("before")->Wait().code, 0);
  EXPECT_THAT(Builds("before"), Each(first));

  std::vector<std::unique_ptr<Running>> exports;
  for (int i = 0; i < 4; ++i) exports.push_back(StartExport("under" + std::to_string(i)));
  std::vector<std::string> requests;
  for (const auto& running : exports) {
    ASSERT_TRUE(Eventually([&] { return running->OutputSoFar().find(": 2 cells") != std::string::npos; }));
    requests.push_back(running->OutputSoFar().substr(8, running->OutputSoFar().find(':') - 8));
  }
  exports.push_back(StartExport("last"));
  for (const auto& worker : old) {
    HaltConverters(worker->pid());
    workers_.push_back(StartWorker("slipway-worker-next"));
    worker->Signal(SIGTERM);
    EXPECT_EQ(worker->Wait().code, 0);
  }
  for (const auto& running : exports) {
    const Ended ended = running->Wait();
    EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  }

  for (const std::string& request : requests) {
    const std::vector<TaskView> tasks = queue_->ListTasks(request, 0, 100).value();
    EXPECT_EQ(tasks.size(), 3u);
    for (const TaskView& task : tasks) {
      EXPECT_EQ(task.state, TaskState::kPassed) << task.index << ": " << task.reason;
      EXPECT_EQ(task.attempts, 1);
      EXPECT_THAT(task.attempt_reasons, Each(HasSubstr("the worker was told to end")));
    }
  }
  for (int i = 0; i < 4; ++i) {
    for (const std::string& build : Builds("under" + std::to_string(i)))
      EXPECT_TRUE(build == first || build == kNext) << build;
  }
  EXPECT_THAT(Registered(), Each(testing::Field(&WorkerView::version, HasSubstr(kNext))));

  // The old build's results stand for nothing that is asked of the new one.
  const json was = Manifest("before");
  ASSERT_EQ(box_.Run({"export", "before=mtcnn-pnet@" + Weights("pnet"), "--target", "onnx,ncnn", "--out", "after"},
                     Environment())
                .code,
            0);
  EXPECT_THAT(Builds("after"), Each(std::string(kNext)));
  const json now = Manifest("after");
  EXPECT_NE(now["request_id"], was["request_id"]);
  for (const json& artifact : now["models"][0]["artifacts"]) EXPECT_EQ(artifact["cache_hit"], false);
}

// A task that runs when its worker is told to end goes back, uncounted, with what it says; `slipway workers` tells both builds.
TEST_F(UpgradeTest, ADrainedTaskIsNotCounted) {
  const auto old = StartWorker("slipway-worker");
  HaltConverters(old->pid());
  const auto running = StartExport("pnet");
  ASSERT_TRUE(Eventually([&] { return queue_->Depth().value().running == 1; }));
  workers_.push_back(StartWorker("slipway-worker-next"));
  std::istringstream lines(box_.Run({"workers", "--json"}, Environment()).out);
  std::set<std::string> versions;
  for (std::string line; std::getline(lines, line);) {
    const json worker = json::parse(line);
    versions.insert(worker["version"]);
    EXPECT_EQ(worker["slots"], 1);
    EXPECT_GE(worker["task_memory_bytes"], int64_t{2} << 30);
    EXPECT_THAT(worker["classes"].get<std::vector<std::string>>(), testing::IsSupersetOf({"any", "litert", "ncnn"}));
  }
  EXPECT_EQ(versions.size(), 2u);
  old->Signal(SIGTERM);
  const Ended ended = old->Wait();
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.err, HasSubstr("returned a task"));
  EXPECT_EQ(running->Wait().code, 0);
  EXPECT_THAT(Builds("pnet"), Each(std::string(kNext)));
  const std::string request = Manifest("pnet")["request_id"];
  const std::vector<TaskView> tasks = queue_->ListTasks(request, 0, 100).value();
  int drained = 0;
  for (const TaskView& task : tasks) {
    EXPECT_EQ(task.attempts, 1) << task.index;
    for (const std::string& reason : task.attempt_reasons)
      drained += reason.find("the worker was told to end") != std::string::npos;
  }
  EXPECT_EQ(drained, 1);
}

// What only a missing worker could do waits, and everybody who asks is told so.
TEST_F(UpgradeTest, WhatNobodyServesIsTold) {
  workers_.push_back(box_.StartProgram(Bin("slipway-worker"),
                                       {"--redis", redis_.address(), "--store", Store(), "--python", "/nonexistent"}));
  ASSERT_TRUE(Eventually([&] { return Registered().size() == 1; }));
  EXPECT_THAT(Registered()[0].classes, testing::Not(testing::Contains("onnxruntime")));
  const auto running = box_.Start({"export", "lite", "--dummy", "--target", "onnx"}, Environment());
  ASSERT_TRUE(Eventually([&] { return running->ErrorsSoFar().find("no worker offers") != std::string::npos; }));
  EXPECT_THAT(running->ErrorsSoFar(), HasSubstr("slipway: no worker offers onnxruntime: 1 task waits"));
  const std::string line = running->OutputSoFar();
  const std::string request = line.substr(8, line.find(':') - 8);
  EXPECT_THAT(box_.Run({"status", request}, Environment()).out,
              HasSubstr("no worker offers onnxruntime: 1 task waits"));
  const json status = json::parse(box_.Run({"status", request, "--json"}, Environment()).out);
  EXPECT_EQ(status["unserved"], json({{"onnxruntime", 1}}));
  EXPECT_THAT(box_.Run({"top", "--once"}, Environment()).out, HasSubstr("no worker offers onnxruntime: 1 task waits"));
  const json top = json::parse(box_.Run({"top", "--once", "--json"}, Environment()).out);
  EXPECT_EQ(top["queue"]["classes"]["onnxruntime"]["workers"], 0);
  EXPECT_THAT(box_.Run({"doctor"}, Environment()).out,
              HasSubstr("1 worker; no worker offers litert, ncnn, onnxruntime"));
  // What needs no judge is done meanwhile.
  EXPECT_EQ(
      box_.Run({"export", "lite", "--dummy", "--target", "onnx", "--no-verify", "--out", "any"}, Environment()).code,
      0);
  running->Signal(SIGINT);
  EXPECT_EQ(running->Wait().code, 130);
}

// A farm without any worker says that, not what none of them offers; what waits is done by the first that comes.
TEST_F(UpgradeTest, AFarmWithoutWorkersSaysSo) {
  const auto exporting = box_.Start({"export", "lite", "--dummy", "--target", "onnx"}, Environment());
  ASSERT_TRUE(Eventually([&] { return exporting->ErrorsSoFar().find("shows them)\n") != std::string::npos; }));
  EXPECT_THAT(exporting->ErrorsSoFar(),
              HasSubstr("slipway: no worker is connected: 1 task waits for the farm at " + server() +
                        ": start slipway-worker there, unless the farm starts workers itself"));
  const std::string line = exporting->OutputSoFar();
  const std::string request = line.substr(8, line.find(':') - 8);
  const auto told = [&](const std::vector<std::string>& verb, const std::string& words) {
    EXPECT_THAT(box_.Run(verb, Environment()).out, HasSubstr(words));
  };
  told({"status", request}, "\nno worker is connected: 1 task waits\n");
  told({"top", "--once"}, "; no worker is connected: 1 task waits\n");
  told({"doctor"}, "has no worker: start slipway-worker");

  Redis(
      {"HSET", "{slipway:0}:v5:workers", "gone",
       fmt::format("{}\nhost\nversion\n1\n0\nonnxruntime\n0\n0", absl::ToUnixMillis(absl::Now() - absl::Minutes(2)))});
  told({"status", request}, "\nno worker has been heard of for a minute: 1 task waits\n");
  told({"doctor"}, "has no worker: start slipway-worker");

  workers_.push_back(StartWorker("slipway-worker"));
  EXPECT_EQ(exporting->Wait().code, 0);
}

}  // namespace
}  // namespace slipway
