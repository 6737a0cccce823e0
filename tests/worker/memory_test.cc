// What a task may take of the machine's memory, with the real worker and a model that is small on disk and vast in memory.
#include "worker/daemon/memory.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include "convert/onnx_form/onnx.pb.h"
#include "tests/worker/support.h"
#include "tests/worker/worker_process.h"
#include "worker/daemon/fault.h"

namespace slipway {
namespace {

using testing::HasSubstr;

TEST(Memory, IsSharedOutAmongTheSlots) {
  constexpr uint64_t kGiB = uint64_t{1} << 30;
  EXPECT_EQ(DefaultTaskMemory(64 * kGiB, 8), 6 * kGiB);
  EXPECT_EQ(DefaultTaskMemory(64 * kGiB, 1), 48 * kGiB);
  EXPECT_EQ(DefaultTaskMemory(4 * kGiB, 8), 2 * kGiB) << "no runtime starts with less";
  const auto physical = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  EXPECT_GT(MachineMemory(), uint64_t{64} << 20);
  EXPECT_LE(MachineMemory(), physical);
}

TEST(Memory, AFailedAllocationThatEndsTheProcessIsTheModelsFault) {
  Execution execution;
  execution.end = Execution::End::kDied;
  execution.exit = {.id = 1, .pid = 2, .signal = SIGABRT};
  execution.last_words = "  what():  std::bad_alloc";
  const Fault fault = FaultOf(execution, absl::Minutes(1));
  EXPECT_EQ(fault.failure, Failure::kModel);
  EXPECT_THAT(fault.reason, HasSubstr("--task-memory"));
  execution.last_words = "  what():  something else";
  EXPECT_EQ(FaultOf(execution, absl::Minutes(1)).failure, Failure::kCrash);
}

class TaskMemoryTest : public WorkerTest {
 protected:
  // y = x + w; w a sparse constant of one element and so many zeros.
  std::string Model(int64_t elements) {
    onnx::ModelProto model;
    model.set_ir_version(8);
    model.add_opset_import()->set_version(17);
    auto& graph = *model.mutable_graph();
    auto& input = *graph.add_input();
    input.set_name("x");
    auto& type = *input.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::FLOAT);
    type.mutable_shape()->add_dim()->set_dim_value(1);
    auto& sparse = *graph.add_sparse_initializer();
    sparse.mutable_values()->set_name("w");
    sparse.mutable_values()->set_data_type(onnx::TensorProto::FLOAT);
    sparse.mutable_values()->add_dims(1);
    sparse.mutable_values()->add_float_data(1);
    sparse.mutable_indices()->set_data_type(onnx::TensorProto::INT64);
    sparse.mutable_indices()->add_dims(1);
    sparse.mutable_indices()->add_int64_data(0);
    sparse.add_dims(elements);
    auto& node = *graph.add_node();
    node.set_op_type("Add");
    node.add_input("x");
    node.add_input("w");
    node.add_output("y");
    graph.add_output()->set_name("y");
    return model.SerializeAsString();
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

}  // namespace
}  // namespace slipway
