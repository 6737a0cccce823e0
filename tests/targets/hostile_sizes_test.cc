// Small graphs that ask for vast tables or for what is not there: every target writes them or refuses them; none runs out of memory, loops, or leaves a
// graph in disorder (INTERNAL).
#include <gtest/gtest.h>

#include "common/base/file.h"
#include "convert/passes/shapes.h"
#include "convert/targets/convert.h"

namespace slipway {
namespace {

using enum OpKind;

constexpr int64_t kVast = int64_t{1} << 40;

class HostileSizesTest : public testing::Test {
 protected:
  Value* Constant(Tensor tensor) { return graph_.AddConstant("constant", std::move(tensor)); }
  Value* Ints(const std::vector<int64_t>& values) { return Constant(Tensor::Int64s(values)); }
  Node* Add(OpKind kind, std::vector<Value*> inputs,
            std::vector<std::pair<std::string_view, AttributeValue>> given = {},
            std::vector<std::string> outputs = {"y"}) {
    Attributes attributes;
    for (auto& [name, value] : given) attributes.Set(name, std::move(value));
    Node* node = graph_.AddNode(kind, std::move(inputs), std::move(outputs), std::move(attributes));
    node->name = "the node";
    for (Value* output : node->outputs) graph_.AddOutput(output);
    const absl::Status inferred = InferNode(*node);
    EXPECT_TRUE(inferred.ok()) << inferred;
    return node;
  }
  absl::Status Convert(std::string_view target) {
    const auto folder = TemporaryFolder::Create("/tmp", "hostile-");
    TargetOptions options;
    options.model_name = "model";
    return ConvertTo(*FindTargetByName(target), graph_.Clone(), options, folder->path()).status();
  }
  void ExpectAnswers() {
    for (const char* target : {"onnx", "tflite", "coreml", "ncnn"}) {
      const absl::Status status = Convert(target);
      EXPECT_FALSE(absl::IsInternal(status)) << target << ": " << status;
    }
  }

  Graph graph_;
};

TEST_F(HostileSizesTest, IndicesOutsideOfTheData) {
  Add(kGather, {graph_.AddInput("x", DataType::kFloat32, {5, 4}), Ints({-(int64_t{1} << 62), 1})});
  ExpectAnswers();
  EXPECT_EQ(Convert("tflite").code(), absl::StatusCode::kUnimplemented) << Convert("tflite");
}

// The remainder that says that no index is negative stands behind the reshapes that few axes need.
TEST_F(HostileSizesTest, ComputedIndicesOfManyAxes) {
  Add(kGatherElements,
      {graph_.AddInput("x", DataType::kFloat32, {3, 5, 6, 6, 5, 3, 4}),
       graph_.AddInput("indices", DataType::kInt64, {3, 1, 6, 6, 5, 3, 4})},
      {{"axis", int64_t{1}}});
  ExpectAnswers();
  EXPECT_TRUE(Convert("tflite").ok()) << Convert("tflite");
}

TEST_F(HostileSizesTest, OneHotOfVastDepth) {
  Add(kOneHot, {graph_.AddInput("x", DataType::kInt64, {2}), Ints({kVast}), Constant(Tensor::Float32s({0, 1}))});
  ExpectAnswers();
}

TEST_F(HostileSizesTest, HardmaxOfAVastAxis) {
  Add(kHardmax, {graph_.AddInput("x", DataType::kFloat32, {1, kVast})});
  ExpectAnswers();
}

TEST_F(HostileSizesTest, GatherElementsOfVastIndices) {
  Add(kGatherElements,
      {graph_.AddInput("x", DataType::kFloat32, {2, 3}), graph_.AddInput("indices", DataType::kInt64, {2, kVast})},
      {{"axis", int64_t{1}}});
  ExpectAnswers();
}

TEST_F(HostileSizesTest, TransposedConvolutionOfVastSteps) {
  const std::vector<int64_t> vast = {1 << 20, 1 << 20};
  Value* x = graph_.AddInput("x", DataType::kFloat32, {1, 2, 8, 8});
  Value* weights = Constant(Tensor::From<float>({2, 1, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}));
  Add(kConvTranspose, {x, weights}, {{"strides", vast}});
  Add(kConvTranspose, {x, weights}, {{"dilations", vast}});
  Add(kConvTranspose, {x, weights}, {{"dilations", vast}, {"strides", vast}});
  ExpectAnswers();
}

TEST_F(HostileSizesTest, PoolIndicesOfVastPadding) {
  Add(kMaxPool, {graph_.AddInput("x", DataType::kFloat32, {1, 1, 8, 8})},
      {{"kernel_shape", std::vector<int64_t>{2, 2}}, {"pads", std::vector<int64_t>(4, 1 << 21)}}, {"y", "places"});
  ExpectAnswers();
}

TEST_F(HostileSizesTest, GroupsOfVastChannels) {
  Add(kGroupNormalization,
      {graph_.AddInput("x", DataType::kFloat32, {1, kVast, 2}), graph_.AddInput("scale", DataType::kFloat32, {kVast}),
       graph_.AddInput("bias", DataType::kFloat32, {kVast})},
      {{"num_groups", int64_t{2}}});
  ExpectAnswers();
}

// What folding may add to constants is one sum, also over a conversion's copies of the graph.
TEST_F(HostileSizesTest, CopiesShareTheFoldingBudget) {
  graph_.folded_bytes = 12345;
  EXPECT_EQ(graph_.Clone()->folded_bytes, 12345);
}

}  // namespace
}  // namespace slipway
