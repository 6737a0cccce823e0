// The ML program writer: the trained networks, each op family and the file's own rules, judged by the interpreter and by coremltools.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "common/base/error.h"
#include "common/base/file.h"
#include "convert/passes/passes.h"
#include "convert/passes/shapes.h"
#include "convert/targets/coreml/model.pb.h"
#include "tests/coreml/harness.h"
#include "tests/support/mtcnn.h"

namespace slipway::testing {
namespace {

using ::testing::HasSubstr;

void ExpectSame(const std::string& net, const std::map<std::string, int64_t>& sizes) {
  ExpectSameMtcnn(net, [&](const Graph& graph) { return CompareWithOnnxruntime(graph, sizes); });
}

TEST(CoremlMtcnn, PnetAtTwoSizes) {
  ExpectSame("pnet", {{"H", 61}, {"W", 84}});
  ExpectSame("pnet", {{"H", 24}, {"W", 17}});
}
TEST(CoremlMtcnn, Rnet) { ExpectSame("rnet", {}); }
TEST(CoremlMtcnn, Onet) { ExpectSame("onet", {}); }

TEST(CoremlMtcnn, CoremltoolsReadsThem) {
  for (const char* net : {"pnet", "rnet", "onet"}) {
    const auto imported = ImportMtcnn(net);
    ASSERT_TRUE(imported.ok()) << imported.status();
    const auto folder = TemporaryFolder::Create("/tmp", "slipway-coreml-");
    const auto emitted = ConvertToCoreml(*imported->model.graph, folder->path());
    ASSERT_TRUE(emitted.ok()) << emitted.status();
    const absl::Status checked = CheckPackages({folder->path() / emitted->path});
    EXPECT_TRUE(checked.ok()) << checked;
    EXPECT_EQ(emitted->files.size(), 3u);
    for (const std::string& file : emitted->files) EXPECT_TRUE(std::filesystem::exists(folder->path() / file)) << file;
    EXPECT_GE(emitted->values.size(), 5u);
    for (const ArtifactValue& value : emitted->values) EXPECT_TRUE(value.origin.known());
  }
}

TEST(CoremlMtcnn, SizesThatVaryAreBoundedRanges) {
  const auto imported = ImportMtcnn("pnet");
  ASSERT_TRUE(imported.ok()) << imported.status();
  const auto folder = TemporaryFolder::Create("/tmp", "slipway-coreml-");
  const auto emitted = ConvertToCoreml(*imported->model.graph, folder->path());
  ASSERT_TRUE(emitted.ok()) << emitted.status();
  coreml::Model model;
  ASSERT_TRUE(model.ParseFromString(*ReadFile(folder->path() / emitted->files[1])));
  EXPECT_EQ(model.specificationversion(), 6);
  const auto& array = model.description().input(0).type().multiarraytype();
  ASSERT_EQ(array.shaperange().sizeranges_size(), 4);
  EXPECT_EQ(array.shaperange().sizeranges(1).lowerbound(), 3u);
  EXPECT_EQ(array.shaperange().sizeranges(1).upperbound(), 3);
  // Three convolutions of 3 and a pool by 2, rounded up, leave one cell of 11 rows: 11 → 9 → 5 → 3 → 1.
  EXPECT_EQ(array.shaperange().sizeranges(2).lowerbound(), 11u);
  EXPECT_GT(array.shaperange().sizeranges(2).upperbound(), 1000);
  EXPECT_EQ(emitted->io.inputs[0].shape, (std::vector<int64_t>{1, 3, -1, -1}));
}

TEST(CoremlWriter, SameBytesEveryTimeAndEqualTensorsOnce) {
  Graph graph;
  Value* x = graph.AddInput("x", DataType::kFloat32, ToShape({1, 2, 4, 4}));
  const Tensor weight = Tensor::From(std::vector<int64_t>{2, 2, 3, 3}, std::vector<float>(36, 0.25f));
  Attributes pads;
  pads.Set("pads", std::vector<int64_t>{1, 1, 1, 1});
  Value* first = (*AddInferred(graph, OpKind::kConv, {x, graph.AddConstant("w1", weight)}, "a", pads))->outputs[0];
  Value* second = (*AddInferred(graph, OpKind::kConv, {first, graph.AddConstant("w2", weight)}, "b", pads))->outputs[0];
  graph.AddOutput(second);
  std::vector<std::string> seen;
  for (int run = 0; run < 2; ++run) {
    const auto folder = TemporaryFolder::Create("/tmp", "slipway-coreml-");
    const auto emitted = ConvertToCoreml(graph, folder->path());
    ASSERT_TRUE(emitted.ok()) << emitted.status();
    for (const std::string& file : emitted->files) seen.push_back(*ReadFile(folder->path() / file));
  }
  EXPECT_EQ(seen[0], seen[3]);
  EXPECT_EQ(seen[1], seen[4]);
  EXPECT_EQ(seen[2], seen[5]);
  EXPECT_EQ(seen[2].size(), 64u + 64u + 36 * sizeof(float));
}

TEST(CoremlWriter, NamesAreSanitizedAndTheSourceIsKept) {
  Graph graph;
  Value* x = graph.AddInput("0 in/put", DataType::kFloat32, ToShape({2, 3}));
  Value* y = graph.AddInput("0_in_put", DataType::kBool, ToShape({2, 3}));
  Value* sum = (*AddInferred(graph, OpKind::kWhere, {y, x, x}, "0-in-put"))->outputs[0];
  graph.AddOutput(sum);
  graph.AddOutput(y);
  const auto folder = TemporaryFolder::Create("/tmp", "slipway-coreml-");
  const auto emitted = ConvertToCoreml(graph, folder->path());
  ASSERT_TRUE(emitted.ok()) << emitted.status();
  EXPECT_EQ(emitted->io.inputs[0].name, "_0_in_put");
  EXPECT_EQ(emitted->io.inputs[0].source, "0 in/put");
  EXPECT_NE(emitted->io.inputs[1].name, "_0_in_put");
  EXPECT_EQ(emitted->io.inputs[1].type, DataType::kInt32);
  EXPECT_EQ(emitted->io.outputs[1].source, "0_in_put");
  const absl::Status checked = CheckPackages({folder->path() / emitted->path});
  EXPECT_TRUE(checked.ok()) << checked;
}

TEST(CoremlWriter, RefusalsNameNodeReasonAndHint) {
  Graph graph;
  Value* x = graph.AddInput("x", DataType::kFloat32, ToShape({1, 2, 2, 2, 2, 2}));
  graph.AddOutput((*AddInferred(graph, OpKind::kRelu, {x}, "y"))->outputs[0]);
  const auto folder = TemporaryFolder::Create("/tmp", "slipway-coreml-");
  const absl::Status status = ConvertToCoreml(graph, folder->path()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(Message(status), HasSubstr("(output 'y/Reshape'): 'x' has 6 axes; Core ML takes at most 5"));
}

// One node on an image [2, 4, 7, 6]; all are also given to coremltools together.
struct Case {
  const char* name;
  OpKind kind;
  Attributes attributes;
  std::vector<Tensor> constants;  // inputs after the first
  std::vector<int64_t> shape = {2, 4, 7, 6};
  float low = -2, high = 2;
};

Attributes With(std::initializer_list<std::pair<const char*, AttributeValue>> values) {
  Attributes attributes;
  for (const auto& [name, value] : values) attributes.Set(name, value);
  return attributes;
}
using Ints = std::vector<int64_t>;
Tensor Ramp(Ints shape, float from, float step) {
  std::vector<float> values(static_cast<size_t>(ElementCount(shape)));
  for (size_t i = 0; i < values.size(); ++i) values[i] = from + step * static_cast<float>(i * 7 % 13);
  return Tensor::From(std::move(shape), values);
}

std::vector<Case> Cases() {
  const Tensor slope = Tensor::From<float>({4, 1, 1}, {0.1f, -0.2f, 0.3f, 0.4f});
  return {
      {"conv_asymmetric",
       OpKind::kConv,
       With({{"pads", Ints{1, 0, 2, 3}}, {"strides", Ints{2, 1}}}),
       {Ramp({5, 4, 3, 2}, -0.5f, 0.07f), Ramp({5}, 0, 1)}},
      {"conv_grouped_dilated",
       OpKind::kConv,
       With({{"group", int64_t{2}}, {"dilations", Ints{2, 1}}}),
       {Ramp({6, 2, 3, 3}, -0.5f, 0.07f)}},
      {"conv_1d", OpKind::kConv, {}, {Ramp({5, 4, 3}, -0.5f, 0.07f)}, {2, 4, 9}},
      {"deconv",
       OpKind::kConvTranspose,
       With({{"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}, {"output_padding", Ints{1, 0}}}),
       {Ramp({4, 3, 3, 3}, -0.5f, 0.07f)}},
      {"maxpool_ceil",
       OpKind::kMaxPool,
       With({{"kernel_shape", Ints{3, 2}},
             {"strides", Ints{2, 2}},
             {"ceil_mode", int64_t{1}},
             {"pads", Ints{1, 0, 0, 1}}}),
       {}},
      {"avgpool_exclude", OpKind::kAveragePool, With({{"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 1, 1, 1}}}), {}},
      {"avgpool_count_ceil",
       OpKind::kAveragePool,
       With({{"kernel_shape", Ints{3, 3}},
             {"strides", Ints{2, 2}},
             {"pads", Ints{1, 1, 0, 0}},
             {"count_include_pad", int64_t{1}},
             {"ceil_mode", int64_t{1}}}),
       {}},
      {"global_average", OpKind::kGlobalAveragePool, {}, {}},
      {"prelu", OpKind::kPRelu, {}, {slope}},
      {"prelu_rank2", OpKind::kPRelu, {}, {Tensor::Float32s({0.1f, -0.2f, 0.3f})}, {5, 3}},
      {"prelu_last_axis", OpKind::kPRelu, {}, {Ramp({6}, 0.1f, 0.1f)}},
      {"gemm",
       OpKind::kGemm,
       With({{"alpha", 0.5f}, {"beta", 2.0f}}),
       {Ramp({6, 5}, -0.5f, 0.07f), Ramp({5}, 0, 1)},
       {3, 6}},
      {"gemm_trans",
       OpKind::kGemm,
       With({{"transA", int64_t{1}}, {"transB", int64_t{1}}}),
       {Ramp({5, 6}, -0.5f, 0.07f)},
       {6, 3}},
      {"matmul_vector", OpKind::kMatMul, {}, {Ramp({6}, -0.5f, 0.07f)}},
      {"softmax", OpKind::kSoftmax, With({{"axis", int64_t{1}}}), {}},
      {"log_softmax", OpKind::kLogSoftmax, With({{"axis", int64_t{1}}}), {}},
      {"batchnorm_rank2",
       OpKind::kBatchNormalization,
       {},
       {Ramp({3}, 1, 0.1f), Ramp({3}, 0, 1), Ramp({3}, 0, 0.1f), Ramp({3}, 1, 0.1f)},
       {5, 3}},
      {"instance_norm", OpKind::kInstanceNormalization, {}, {Ramp({4}, 1, 0.1f), Ramp({4}, 0, 1)}},
      {"group_norm",
       OpKind::kGroupNormalization,
       With({{"num_groups", int64_t{2}}}),
       {Ramp({4}, 1, 0.1f), Ramp({4}, 0, 1)}},
      {"layer_norm",
       OpKind::kLayerNormalization,
       With({{"axis", int64_t{2}}}),
       {Ramp({7, 6}, 1, 0.1f), Ramp({7, 6}, 0, 1)}},
      {"hardswish", OpKind::kHardSwish, {}, {}},
      {"mish", OpKind::kMish, {}, {}},
      {"gelu", OpKind::kGelu, {}, {}},
      {"selu", OpKind::kSelu, {}, {}},
      {"celu", OpKind::kCelu, With({{"alpha", 0.7f}}), {}},
      {"clip", OpKind::kClip, {}, {Tensor::Scalar(-0.5f), Tensor::Scalar(0.75f)}},
      {"asinh", OpKind::kAsinh, {}, {}},
      {"reciprocal", OpKind::kReciprocal, {}, {}, {2, 4, 7, 6}, 1, 3},
      {"reduce_l2", OpKind::kReduceL2, With({{"keepdims", int64_t{0}}}), {Tensor::Int64s({1, -1})}},
      {"argmax", OpKind::kArgMax, With({{"axis", int64_t{1}}}), {}},
      {"flatten", OpKind::kFlatten, {}, {}},
      {"transpose", OpKind::kTranspose, With({{"perm", Ints{0, 3, 2, 1}}}), {}},
      {"reshape", OpKind::kReshape, {}, {Tensor::Int64s({0, -1, 3})}},
      {"squeeze", OpKind::kSqueeze, {}, {Tensor::Int64s({-2})}, {2, 4, 1, 6}},
      {"unsqueeze", OpKind::kUnsqueeze, {}, {Tensor::Int64s({1, -1})}, {2, 4, 3}},
      {"slice_steps",
       OpKind::kSlice,
       {},
       {Tensor::Int64s({-1, 1}), Tensor::Int64s({-1000, 6}), Tensor::Int64s({2, 3}), Tensor::Int64s({-2, 2})}},
      {"gather", OpKind::kGather, With({{"axis", int64_t{-1}}}), {Tensor::From<int64_t>({2, 1}, {5, 0})}},
      {"pad_reflect",
       OpKind::kPad,
       With({{"mode", std::string("reflect")}}),
       {Tensor::Int64s({0, 0, 1, 2, 0, 0, 3, 0})}},
      {"pad_value", OpKind::kPad, {}, {Tensor::Int64s({0, 1, 1, 2, 0, 0, 3, 0}), Tensor::Scalar(1.5f)}},
      {"expand", OpKind::kExpand, {}, {Tensor::Int64s({3, 4, 7, 6})}, {1, 1, 6}},
      {"tile", OpKind::kTile, {}, {Tensor::Int64s({1, 2, 1, 3})}},
      {"pixel_shuffle", OpKind::kDepthToSpace, With({{"blocksize", int64_t{2}}, {"mode", std::string("CRD")}}), {}},
      {"depth_to_space", OpKind::kDepthToSpace, With({{"blocksize", int64_t{2}}}), {}},
      {"resize_nearest",
       OpKind::kResize,
       With({{"coordinate_transformation_mode", std::string("asymmetric")}, {"nearest_mode", std::string("floor")}}),
       {Tensor(), Tensor::Float32s({1, 1, 2, 3})}},
      {"resize_cubic",
       OpKind::kResize,
       With({{"mode", std::string("cubic")}}),
       {Tensor(), Tensor::Float32s({1, 1, 1.7f, 0.6f})}},
      {"resize_nearest_fraction", OpKind::kResize, {}, {Tensor(), Tensor::Float32s({1, 1, 1.7f, 0.6f})}},
      {"deconv_output_padding",
       OpKind::kConvTranspose,
       With({{"strides", Ints{3, 2}}, {"output_padding", Ints{2, 1}}}),
       {Ramp({4, 3, 3, 3}, -0.5f, 0.07f), Ramp({3}, 1, 1)}},
      {"hardmax", OpKind::kHardmax, With({{"axis", int64_t{1}}}), {}},
      {"argmax_last", OpKind::kArgMax, With({{"axis", int64_t{2}}, {"select_last_index", int64_t{1}}}), {}},
      {"thresholded", OpKind::kThresholdedRelu, {}, {}},
      {"fmod", OpKind::kMod, With({{"fmod", int64_t{1}}}), {Ramp({6}, 0.7f, 0.1f)}},
      {"global_norm", OpKind::kGlobalLpPool, {}, {}},
      {"resize_linear",
       OpKind::kResize,
       With({{"mode", std::string("linear")}}),
       {Tensor(), Tensor::Float32s({1, 1, 2, 2})}},
      {"resize_volume",
       OpKind::kResize,
       With({{"mode", std::string("linear")}}),
       {Tensor(), Tensor::Float32s({1, 1, 2, 1.5f, 2})},
       {2, 3, 3, 4, 5}},
      {"resize_channels",
       OpKind::kResize,
       With({{"mode", std::string("linear")}}),
       {Tensor(), Tensor::Float32s({1, 2, 1, 1})}},
      {"pad_negative", OpKind::kPad, {}, {Tensor::Int64s({0, 0, -1, 2, 0, 0, 1, -3}), Tensor::Scalar(0.5f)}},
      {"gather_table", OpKind::kGather, With({{"axis", int64_t{2}}}), {Tensor::From<int64_t>({2, 2}, {0, 2, 6, -1})}},
      {"einsum", OpKind::kEinsum, With({{"equation", std::string("nchw,kc->nkhw")}}), {Ramp({3, 4}, -0.5f, 0.07f)}},
      {"trilu", OpKind::kTrilu, With({{"upper", int64_t{0}}}), {Tensor::From<int64_t>({}, {1})}},
  };
}

TEST(CoremlWriter, OpsAgreeWithOnnxruntime) {
  const auto folder = TemporaryFolder::Create("/tmp", "slipway-coreml-ops-");
  std::vector<std::filesystem::path> packages;
  for (const Case& each : Cases()) {
    SCOPED_TRACE(each.name);
    Graph graph;
    std::vector<Value*> inputs = {graph.AddInput("x", DataType::kFloat32, ToShape(each.shape))};
    for (const Tensor& tensor : each.constants) {
      inputs.push_back(tensor.type() == DataType::kUndefined ? nullptr : graph.AddConstant("c", tensor));
    }
    const auto node = AddInferred(graph, each.kind, inputs, "y", each.attributes);
    ASSERT_TRUE(node.ok()) << node.status();
    graph.AddOutput((*node)->outputs[0]);
    const auto error = CompareWithOnnxruntime(graph, {}, each.low, each.high);
    EXPECT_TRUE(error.ok()) << error.status();
    EXPECT_LT(error.value_or(1), 1e-5);
    const std::filesystem::path own = folder->path() / each.name;
    std::filesystem::create_directory(own);
    const auto emitted = ConvertToCoreml(graph, own);
    if (emitted.ok()) packages.push_back(own / emitted->path);
  }
  // One interpreter for all: its imports take longer than the checks.
  const absl::Status checked = CheckPackages(packages);
  EXPECT_TRUE(checked.ok()) << checked;
}

TEST(CoremlWriter, TopKOfWhichOneResultIsRead) {
  for (const size_t read : {0, 1}) {
    Graph graph;
    Value* x = graph.AddInput("x", DataType::kFloat32, ToShape({3, 7}));
    Node* node = graph.AddNode(OpKind::kTopK, {x, graph.AddConstant("k", Tensor::Int64s({3}))}, {"values", "indices"});
    ASSERT_TRUE(InferNode(*node).ok());
    graph.AddOutput(node->outputs[read]);
    graph.DropOutput(node->outputs[1 - read]);
    const auto error = CompareWithOnnxruntime(graph);
    ASSERT_TRUE(error.ok()) << error.status();
    EXPECT_EQ(*error, 0);
  }
}

// Sizes, pads and cuts that only the run knows.
class CoremlRuntimeSizes : public ::testing::Test {
 protected:
  Value* Op(OpKind kind, std::vector<Value*> inputs, Attributes attributes = {}) {
    return (*AddInferred(graph, kind, std::move(inputs), "v", std::move(attributes)))->output();
  }
  Value* Ints(std::vector<int64_t> values) { return graph.AddConstant("i", Tensor::Int64s(values)); }
  Value* Sizes(Value* value, int64_t from) { return Op(OpKind::kShape, {value}, With({{"start", from}})); }
  void ExpectSame(Value* output) {
    graph.AddOutput(output);
    for (const std::map<std::string, int64_t>& sizes :
         {std::map<std::string, int64_t>{{"N", 1}, {"H", 9}, {"W", 14}}, {{"N", 2}, {"H", 16}, {"W", 8}}}) {
      const auto error = CompareWithOnnxruntime(graph, sizes);
      ASSERT_TRUE(error.ok()) << error.status();
      EXPECT_LT(*error, 1e-5);
    }
    const auto folder = TemporaryFolder::Create("/tmp", "slipway-coreml-");
    const auto emitted = ConvertToCoreml(graph, folder->path());
    ASSERT_TRUE(emitted.ok()) << emitted.status();
    const absl::Status checked = CheckPackages({folder->path() / emitted->path});
    EXPECT_TRUE(checked.ok()) << checked;
  }

  Graph graph;
  Value* x = graph.AddInput("x", DataType::kFloat32, {Dim::Symbol("N"), 3, Dim::Symbol("H"), Dim::Symbol("W")});
  Value* small = Op(OpKind::kMaxPool, {x}, With({{"kernel_shape", Sizes_({4, 4})}, {"strides", Sizes_({4, 4})}}));
  static std::vector<int64_t> Sizes_(std::vector<int64_t> values) { return values; }
};

TEST_F(CoremlRuntimeSizes, ResizeToAnothersSize) {
  Value* sizes = Op(OpKind::kConcat, {Op(OpKind::kShape, {small}, With({{"end", int64_t{2}}})), Sizes(x, 2)},
                    With({{"axis", int64_t{0}}}));
  for (const char* mode : {"nearest", "linear"})
    graph.AddOutput(Op(OpKind::kResize, {small, nullptr, nullptr, sizes}, With({{"mode", std::string(mode)}})));
  ExpectSame(Op(OpKind::kResize, {small, nullptr, nullptr, sizes}, With({{"mode", std::string("cubic")}})));
}

TEST_F(CoremlRuntimeSizes, PadsToAnothersSize) {
  Value* grown = Op(OpKind::kConvTranspose, {small, graph.AddConstant("w", Ramp({3, 2, 4, 4}, -0.5f, 0.07f))},
                    With({{"strides", Sizes_({4, 4})}}));
  Value* ends = Op(OpKind::kSub, {Sizes(x, 2), Sizes(grown, 2)});
  Value* pads = Op(OpKind::kConcat, {Ints({0, 0, 0, 0, 0, 0}), ends}, With({{"axis", int64_t{0}}}));
  ExpectSame(Op(OpKind::kPad, {grown, pads}));
}

TEST_F(CoremlRuntimeSizes, CutsToAnothersSize) {
  Value* cut = Op(OpKind::kSlice, {x, Ints({0, 1}), Sizes(small, 2), Ints({2, 3})});
  graph.AddOutput(Op(OpKind::kSlice, {x, Sizes(small, 2), Ints({INT64_MAX, -1}), Ints({-2, -1})}));
  ExpectSame(cut);
}

TEST_F(CoremlRuntimeSizes, Samples) {
  Value* grid = graph.AddInput("grid", DataType::kFloat32, {Dim::Symbol("N"), 4, 6, 2});
  graph.AddOutput(Op(OpKind::kGridSample, {x, grid}, With({{"mode", std::string("nearest")}})));
  graph.AddOutput(Op(OpKind::kGridSample, {x, grid},
                     With({{"padding_mode", std::string("reflection")}, {"align_corners", int64_t{1}}})));
  ExpectSame(Op(OpKind::kGridSample, {x, grid}, With({{"padding_mode", std::string("border")}})));
}

}  // namespace
}  // namespace slipway::testing
