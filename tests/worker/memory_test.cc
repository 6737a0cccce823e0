// What a task may take of the machine's memory, with the real worker and a model that is small on disk and vast in memory.
#include <gmock/gmock.h>
#include <unistd.h>

#include "tests/support/onnx_maker.h"
#include "tests/worker/support.h"
#include "tests/worker/worker_process.h"
#include "worker/daemon/fault.h"

namespace slipway {
namespace {

using ::testing::HasSubstr;

TEST(Memory, AFailedAllocationThatEndsTheProcessIsTheModelsFault) {
  Execution execution;
  execution.end = Execution::End::kDied;
  execution.exit = {.id = 1, .pid = 2, .signal = SIGABRT};
  execution.last_words = "  what():  std::bad_alloc";
  const Fault fault = FaultOf(execution, absl::Minutes(1));
  EXPECT_EQ(fault.failure, Failure::kMemoryLimit);
  EXPECT_THAT(fault.reason, HasSubstr("--task-memory"));
  execution.last_words = "  what():  something else";
  EXPECT_EQ(FaultOf(execution, absl::Minutes(1)).failure, Failure::kCrash);
}

class TaskMemoryTest : public WorkerTest {
 protected:
  // y = x + w; w a sparse constant of one element and so many zeros.
  std::string Model(int64_t elements) {
    testing::OnnxMaker maker;
    maker.Input("x", {1});
    maker.SparseWeights("w", elements);
    maker.Node("Add", {"x", "w"}, {"y"});
    maker.Output("y");
    return maker.model().SerializeAsString();
  }
  std::string SubmitCell(const std::string& model) {
    RequestSpec spec;
    spec.models = {{"model", "onnx", "", {{"model.onnx", "", *WriteBlob(*store_, "default", model)}}}};
    spec.options.verify = false;
    spec.tasks.push_back({SpecTask::Kind::kCell, 0, "onnx", "fp32", -1});
    return Submit(spec, {{.index = 0}});
  }
};

TEST_F(TaskMemoryTest, AModelThatNeedsMoreFailsAndSaysSo) {
  WorkerProcess worker(Arguments({"--task-memory", "256M"}));
  const std::string vast = SubmitCell(Model(int64_t{1} << 28));
  ASSERT_TRUE(AllEnd(vast));
  EXPECT_EQ(Tasks(vast)[0].state, TaskState::kFailed);
  EXPECT_EQ(Tasks(vast)[0].attempts, 1) << "it would need as much again";
  EXPECT_THAT(Tasks(vast)[0].reason, HasSubstr("needs more than 256 MiB of memory (--task-memory)"));
  const std::string small = SubmitCell(Model(100));
  ASSERT_TRUE(AllEnd(small));
  EXPECT_EQ(Tasks(small)[0].state, TaskState::kUnverified) << Tasks(small)[0].reason;
}

// It goes back, counted, for a worker that gives a task more; there it passes.
TEST_F(TaskMemoryTest, AModelThatNeedsMoreGoesToALargerWorker) {
  const std::string vast = SubmitCell(Model(int64_t{1} << 25));
  {
    WorkerProcess small(Arguments({"--task-memory", "128M"}));
    const auto grown = [&] {
      EXPECT_TRUE(queue_->Heartbeat({.id = "large", .classes = {"any+8g"}}, {}).ok());  // it lives, on any machine
      return Tasks(vast)[0].task_class == "any+8g" || Tasks(vast)[0].state == TaskState::kFailed;
    };
    ASSERT_TRUE(Holds(grown, absl::Seconds(60)));
  }
  ASSERT_EQ(Tasks(vast)[0].state, TaskState::kReady) << Tasks(vast)[0].reason;
  WorkerProcess large(Arguments({"--task-memory", "8G"}));
  ASSERT_TRUE(AllEnd(vast));
  EXPECT_EQ(Tasks(vast)[0].state, TaskState::kUnverified) << Tasks(vast)[0].reason;
  EXPECT_EQ(Tasks(vast)[0].attempts, 2);
  EXPECT_THAT(Tasks(vast)[0].attempt_reasons.at(0), HasSubstr("needs more than 128 MiB of memory (--task-memory)"));
}

// Its converter needs little, running it much: y = sum of x, expanded to 2^28 elements.
TEST_F(TaskMemoryTest, AModelThatItsJudgeHasNoMemoryForGoesToALargerWorker) {
  testing::OnnxMaker maker;
  maker.Input("x", {1});
  maker.Initializer("shape", {1}, onnx::TensorProto::INT64).add_int64_data(int64_t{1} << 28);
  maker.Node("Expand", {"x", "shape"}, {"large"});
  maker.Node("Sqrt", {"large"}, {"root"});
  maker.Node("ReduceSum", {"root"}, {"y"});
  maker.Output("y");
  auto& type = *maker.graph().mutable_output(0)->mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx::TensorProto::FLOAT);
  type.mutable_shape()->add_dim()->set_dim_value(1);
  RequestSpec spec;
  spec.models = {
      {"model", "onnx", "", {{"model.onnx", "", *WriteBlob(*store_, "default", maker.model().SerializeAsString())}}}};
  spec.tasks.push_back({SpecTask::Kind::kPrepare, 0, "", "", -1});
  const std::string request = Submit(spec, {{.index = 0, .task_class = "onnxruntime"}});
  WorkerProcess small(Arguments({"--task-memory", "768M"}));
  const auto settled = [&] {
    EXPECT_TRUE(queue_->Heartbeat({.id = "large", .classes = {"onnxruntime+8g"}}, {}).ok());
    return Tasks(request)[0].task_class != "onnxruntime" || IsTerminal(Tasks(request)[0].state);
  };
  ASSERT_TRUE(Holds(settled, absl::Seconds(60)));
  EXPECT_EQ(Tasks(request)[0].task_class, "onnxruntime+8g") << Tasks(request)[0].reason;
  EXPECT_THAT(Tasks(request)[0].reason, HasSubstr("a judge needs more memory than it gets (--task-memory)"));
  EXPECT_EQ(Tasks(request)[0].attempts, 1);
}

}  // namespace
}  // namespace slipway
