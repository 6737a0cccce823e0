// A whole request through the real worker: jailed children, jailed judges.
#include <gmock/gmock.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "absl/time/clock.h"
#include "tests/worker/support.h"
#include "tests/worker/worker_process.h"

namespace slipway {
namespace {

using nlohmann::json;

class CellTest : public WorkerTest {};

TEST_F(CellTest, PrepareOpensCellsThatAreProvedInTheJail) {
  const char* weights = std::getenv("SLIPWAY_MTCNN");
  ASSERT_NE(weights, nullptr) << "SLIPWAY_MTCNN names the folder of pnet.pt, rnet.pt and onet.pt";
  const std::string bytes = *ReadFile(std::filesystem::path(weights) / "rnet.pt");
  RequestSpec spec;
  spec.models = {{"rnet", "checkpoint", "mtcnn-rnet", {{"rnet.pt", "", *WriteBlob(*store_, "default", bytes)}}}};
  spec.options.samples = 3;
  spec.tasks.push_back({SpecTask::Kind::kPrepare, 0, "", "", -1});
  for (const char* target : {"onnx", "ncnn", "tflite", "coreml"})
    spec.tasks.push_back({SpecTask::Kind::kCell, 0, target, "fp32", 0});
  std::vector<QueuedTask> tasks;
  for (uint32_t i = 0; i < spec.tasks.size(); ++i) tasks.push_back({.index = i, .blocked_by = i == 0 ? -1 : 0});

  WorkerProcess worker(Arguments({"--prewarm", "onnxruntime,litert,ncnn"}));
  const std::string request = Submit(spec, tasks);
  ASSERT_TRUE(AllEnd(request, absl::Seconds(120)));
  for (const TaskView& task : Tasks(request)) {
    EXPECT_EQ(task.state, TaskState::kPassed) << task.index << ": " << task.reason;
    const auto result = TaskResult::FromJson(*ReadBlob(*store_, "default", *Digest::Parse(task.result)));
    ASSERT_TRUE(result.ok()) << result.status();
    if (task.index == 0) {
      EXPECT_TRUE(result->reference.has_value());
      continue;
    }
    EXPECT_FALSE(result->files.empty());
    for (const ResultFile& file : result->files)
      EXPECT_TRUE(store_->OpenLocal("default", file.digest).ok()) << file.path;
    const json entry = json::parse(result->entry);
    EXPECT_EQ(entry["jail"], "partial");
    EXPECT_EQ(entry["parity"]["verdict"], "passed");
  }
}

}  // namespace
}  // namespace slipway
