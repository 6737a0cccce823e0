// Verdicts end to end in onnxruntime: right artifacts pass, and each way of being wrong gets the verdict it deserves.
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "convert/onnx_form/onnx_form.h"
#include "convert/parity/images.h"
#include "convert/parity/interface.h"
#include "convert/parity/parity.h"
#include "convert/passes/passes.h"
#include "tests/parity/hosts.h"

namespace slipway {
namespace {

// y = softmax(conv(x)) over the channels, z = relu(conv(x)); H and W vary.
struct Net {
  std::vector<int64_t> pads = {1, 1, 1, 1};
  float wrong_weight = 0;  // added to one weight,
  size_t wrong_at = 20;    // this one
  float weight_scale = 1;  // of all weights: 0 makes a dead model
  float bias = 0.1f;
  std::vector<Dim> shape = {1, 3, Dim::Symbol("H"), Dim::Symbol("W")};

  std::unique_ptr<Graph> Build() const {
    auto graph = std::make_unique<Graph>();
    Value* x = graph->AddInput("x", DataType::kFloat32, shape);
    std::vector<float> weights(4 * 3 * 9);
    for (size_t i = 0; i < weights.size(); ++i) weights[i] = weight_scale * std::sin(1.7f * static_cast<float>(i));
    weights[wrong_at] += wrong_weight;
    Value* w = graph->AddConstant("w", Tensor::From<float>({4, 3, 3, 3}, weights));
    Value* b = graph->AddConstant("b", Tensor::Float32s({bias, -0.2f, 0.3f, 0}));
    Attributes conv;
    conv.Set("pads", pads);
    Value* scores = graph->AddNode(OpKind::kConv, {x, w, b}, {"scores"}, conv)->output();
    Attributes channels;
    channels.Set("axis", int64_t{1});
    graph->AddOutput(graph->AddNode(OpKind::kSoftmax, {scores}, {"y"}, channels)->output());
    graph->AddOutput(graph->AddNode(OpKind::kRelu, {scores}, {"z"})->output());
    EXPECT_TRUE(MakeInferShapes()->Run(*graph).ok());
    scores->origin.source = "scores";
    return graph;
  }
};

class JudgeTest : public HostsTest {
 protected:
  // The reference of `graph` on its own samples.
  void MakeReference(const Graph& graph, SampleOptions options = {}) {
    std::filesystem::remove(folder() / "source.onnx");
    ASSERT_TRUE(WriteOnnxFile(graph, {}, folder() / "source.onnx").ok());
    reference_.reference = "onnxruntime on the source file";
    reference_.generator = "drawn by use, seed 0";
    reference_.final_activations = FindFinalActivations(graph);
    reference_.constant_outputs = FindConstantOutputs(graph);
    auto samples = MakeSamples(graph, options);
    ASSERT_TRUE(samples.ok()) << samples.status();
    reference_.samples = *std::move(samples);
    const absl::Status run =
        RunReference(*hosts_, folder() / "source.onnx", reference_.final_activations, reference_.samples);
    ASSERT_TRUE(run.ok()) << run;
  }
  // An ONNX artifact of `graph` with the interface of its own values.
  JudgeRequest Artifact(const Graph& graph) {
    JudgeRequest request{"onnx", "fp32", folder(), {}, {}};
    std::filesystem::remove(folder() / "artifact.onnx");
    EXPECT_TRUE(WriteOnnxFile(graph, {}, folder() / "artifact.onnx").ok());
    request.emitted.path = "artifact.onnx";
    for (const Value* input : graph.inputs()) request.emitted.io.inputs.push_back(Interface(*input));
    for (const Value* output : graph.outputs()) request.emitted.io.outputs.push_back(Interface(*output));
    for (const Value* value : graph.values()) {
      if (value->origin.known()) request.emitted.values.push_back({value->name, value->origin, -1});
    }
    return request;
  }
  static InterfaceTensor Interface(const Value& value) {
    std::vector<int64_t> shape;
    for (const Dim& dim : *value.shape) shape.push_back(dim.IsKnown() ? dim.value() : -1);
    return {value.name, value.name, shape, value.type, "", {}, -1};
  }
  ParityResult Verdict(const JudgeRequest& request) {
    auto result = Judge(*hosts_, request, reference_);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *result : ParityResult();
  }

  ReferenceBundle reference_;
};

TEST_F(JudgeTest, TheSameNetPassesAtTwoSizesWithWhatStandsBeforeTheSoftmax) {
  const auto graph = Net().Build();
  MakeReference(*graph);
  ASSERT_EQ(reference_.samples.size(), 8u);
  EXPECT_NE(reference_.samples[0].inputs[0].second.shape(), reference_.samples[7].inputs[0].second.shape());
  const ParityResult result = Verdict(Artifact(*graph));
  EXPECT_EQ(result.verdict, Verdict::kPassed) << result.reason;
  ASSERT_EQ(result.runs.size(), 1u);
  ASSERT_EQ(result.runs[0].outputs.size(), 3u);
  EXPECT_EQ(result.runs[0].outputs[0].role, OutputRole::kProbability);
  EXPECT_EQ(result.runs[0].outputs[1].role, OutputRole::kRaw);
  EXPECT_EQ(result.runs[0].outputs[2].name, "scores");
  EXPECT_EQ(result.runs[0].outputs[2].role, OutputRole::kBeforeActivation);
}

TEST_F(JudgeTest, AShiftedPaddingFails) {
  MakeReference(*Net().Build());
  Net shifted;
  shifted.pads = {0, 1, 2, 1};
  EXPECT_EQ(Verdict(Artifact(*shifted.Build())).verdict, Verdict::kFailed);
}

TEST_F(JudgeTest, AWrongWeightFails) {
  MakeReference(*Net().Build());
  Net wrong;
  wrong.wrong_weight = 1e-3f;
  const ParityResult result = Verdict(Artifact(*wrong.Build()));
  EXPECT_EQ(result.verdict, Verdict::kFailed);
  EXPECT_FALSE(result.reason.empty());
}

TEST_F(JudgeTest, ProbabilitiesOfMadeUpWeightsAreReportedOnly) {
  // One score is far below the others: beside it an error of theirs is nothing, in their probabilities it is too much.
  Net net;
  net.bias = -40;
  MakeReference(*net.Build());
  Net off = net;
  off.wrong_at = 40;
  off.wrong_weight = 1e-4f;
  JudgeRequest request = Artifact(*off.Build());
  EXPECT_EQ(Verdict(request).verdict, Verdict::kFailed);
  request.made_up_weights = true;
  const ParityResult result = Verdict(request);
  EXPECT_EQ(result.verdict, Verdict::kPassed) << result.reason;
  EXPECT_FALSE(result.ToJson()["thresholds"].contains("probability"));
  EXPECT_EQ(result.runs[0].outputs[0].role, OutputRole::kProbability);
  EXPECT_GT(result.runs[0].outputs[0].metrics.l_inf, 0);
  request.tolerance = 1e-9;
  EXPECT_EQ(Verdict(request).verdict, Verdict::kFailed);
  // Numbers are gated as ever.
  off.wrong_weight = 0.1f;
  request = Artifact(*off.Build());
  request.made_up_weights = true;
  EXPECT_EQ(Verdict(request).verdict, Verdict::kFailed);
}

TEST_F(JudgeTest, ADeadModelDoesNotTellSamplesApart) {
  Net dead;
  dead.weight_scale = 0;
  const auto graph = dead.Build();
  MakeReference(*graph);
  EXPECT_EQ(Verdict(Artifact(*graph)).verdict, Verdict::kNotDiscriminating);
}

TEST_F(JudgeTest, OneSampleAloneIsNotEnough) {
  const auto graph = Net().Build();
  MakeReference(*graph);
  reference_.samples.resize(1);
  EXPECT_EQ(Verdict(Artifact(*graph)).verdict, Verdict::kNotDiscriminating);
}

TEST_F(JudgeTest, ASizeWithOneSampleIsNotEnough) {
  const auto graph = Net().Build();
  MakeReference(*graph);
  reference_.samples.resize(5);  // four of one size, one of the other
  EXPECT_EQ(Verdict(Artifact(*graph)).verdict, Verdict::kNotDiscriminating);
}

TEST_F(JudgeTest, NanFailsEvenWhereTheReferenceHasIt) {
  const auto graph = Net().Build();
  MakeReference(*graph);
  Net nan;
  nan.bias = std::numeric_limits<float>::quiet_NaN();
  const auto broken = nan.Build();
  const JudgeRequest request = Artifact(*broken);
  EXPECT_EQ(Verdict(request).verdict, Verdict::kFailed);
  MakeReference(*broken);
  EXPECT_EQ(Verdict(request).verdict, Verdict::kFailed);
}

TEST_F(JudgeTest, AMissingOutputFails) {
  const auto graph = Net().Build();
  MakeReference(*graph);
  JudgeRequest request = Artifact(*graph);
  request.emitted.io.outputs.pop_back();
  const ParityResult result = Verdict(request);
  EXPECT_EQ(result.verdict, Verdict::kFailed);
  EXPECT_NE(result.reason.find("'z'"), std::string::npos) << result.reason;
}

TEST_F(JudgeTest, AShapeThatIsNotWhatTheInterfaceSaysFails) {
  const auto graph = Net().Build();
  MakeReference(*graph);
  JudgeRequest request = Artifact(*graph);
  request.emitted.io.outputs[1].shape[2] = 7;
  EXPECT_EQ(Verdict(request).verdict, Verdict::kFailed);
}

TEST_F(JudgeTest, SizesThatTheArtifactFixedFail) {
  MakeReference(*Net().Build());
  Net fixed;
  fixed.shape = {1, 3, 64, 96};
  EXPECT_EQ(Verdict(Artifact(*fixed.Build())).verdict, Verdict::kFailed);
}

TEST_F(JudgeTest, ABatchThatTheArtifactFixedFails) {
  Net open;
  open.shape = {Dim::Symbol("N"), 3, 8, 8};
  const auto graph = open.Build();
  MakeReference(*graph);
  ASSERT_EQ(reference_.samples.size(), 8u);
  EXPECT_EQ(reference_.samples[0].inputs[0].second.shape()[0], 1);
  EXPECT_EQ(reference_.samples[7].inputs[0].second.shape()[0], 2);
  EXPECT_EQ(Verdict(Artifact(*graph)).verdict, Verdict::kPassed);
  Net fixed;
  fixed.shape = {1, 3, 8, 8};
  const ParityResult result = Verdict(Artifact(*fixed.Build()));
  EXPECT_EQ(result.verdict, Verdict::kFailed);
  EXPECT_NE(result.reason.find("[2, 3, 8, 8]"), std::string::npos) << result.reason;
}

TEST_F(JudgeTest, SizesThatTheSourceItselfRefusesAreTakenOutAndNamed) {
  // Any batch is let in, only 1 comes through.
  Graph graph;
  Value* x = graph.AddInput("x", DataType::kFloat32, {Dim::Symbol("N"), 4});
  Value* sizes = graph.AddConstant("sizes", Tensor::Int64s({1, 2, 2}));
  graph.AddOutput(graph.AddNode(OpKind::kReshape, {x, sizes}, {"y"})->output());
  ASSERT_TRUE(MakeInferShapes()->Run(graph).ok());
  ASSERT_TRUE(WriteOnnxFile(graph, {}, folder() / "source.onnx").ok());
  const std::vector<Sample> drawn = *MakeSamples(graph, {});
  std::vector<Sample> samples = drawn;
  EXPECT_EQ(RunReference(*hosts_, folder() / "source.onnx", {}, samples).code(), absl::StatusCode::kInvalidArgument);
  std::vector<std::string> refused;
  samples = drawn;
  ASSERT_TRUE(RunReference(*hosts_, folder() / "source.onnx", {}, samples, &refused).ok());
  EXPECT_EQ(samples.size(), 4u);
  for (const Sample& sample : samples) EXPECT_EQ(sample.inputs[0].second.shape(), (std::vector<int64_t>{1, 4}));
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_TRUE(refused[0].starts_with("x [2, 4]: ")) << refused[0];
  samples.assign(drawn.begin() + 4, drawn.end());
  EXPECT_FALSE(RunReference(*hosts_, folder() / "source.onnx", {}, samples, &refused).ok());
}

TEST_F(JudgeTest, WithoutTheTensorBeforeTheSoftmaxItComesFromTheProbabilities) {
  const auto graph = Net().Build();
  MakeReference(*graph);
  JudgeRequest request = Artifact(*graph);
  request.emitted.values.clear();
  const ParityResult result = Verdict(request);
  EXPECT_EQ(result.verdict, Verdict::kPassed) << result.reason;
  ASSERT_EQ(result.runs[0].outputs.size(), 3u);
  EXPECT_EQ(result.runs[0].outputs[1].role, OutputRole::kBeforeActivation);
  EXPECT_GT(result.runs[0].outputs[1].metrics.elements, 100);
}

TEST_F(JudgeTest, ConstantOutputsAndModelsWithoutInputsAreExempt) {
  Graph graph;
  Value* c = graph.AddConstant("c", Tensor::Float32s({1, 2}));
  graph.AddOutput(graph.AddNode(OpKind::kNeg, {c}, {"y"})->output());
  ASSERT_TRUE(MakeInferShapes()->Run(graph).ok());
  MakeReference(graph);
  EXPECT_EQ(reference_.samples.size(), 1u);
  EXPECT_EQ(reference_.constant_outputs, std::vector<std::string>{"y"});
  EXPECT_EQ(Verdict(Artifact(graph)).verdict, Verdict::kPassed);
}

TEST_F(JudgeTest, IntegersMustBeEqual) {
  const auto build = [](int64_t axis) {
    auto graph = std::make_unique<Graph>();
    Value* x = graph->AddInput("x", DataType::kFloat32, {4, 4});
    Attributes attributes;
    attributes.Set("axis", axis);
    attributes.Set("keepdims", int64_t{0});
    graph->AddOutput(graph->AddNode(OpKind::kArgMax, {x}, {"y"}, attributes)->output());
    EXPECT_TRUE(MakeInferShapes()->Run(*graph).ok());
    return graph;
  };
  MakeReference(*build(1));
  EXPECT_EQ(Verdict(Artifact(*build(1))).verdict, Verdict::kPassed);
  EXPECT_EQ(Verdict(Artifact(*build(0))).verdict, Verdict::kFailed);
}

TEST_F(JudgeTest, AMissingJudgeIsNotRunAndABrokenArtifactFails) {
  const auto graph = Net().Build();
  MakeReference(*graph);
  const JudgeRequest request = Artifact(*graph);
  auto nowhere = SpawningHosts(folder() / "no-python", folder());
  auto result = Judge(*nowhere, request, reference_);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->verdict, Verdict::kNotRun);
  EXPECT_FALSE(result->reason.empty());
  ASSERT_TRUE(WriteFileAtomically(folder() / "artifact.onnx", "nonsense").ok());
  EXPECT_EQ(Verdict(request).verdict, Verdict::kFailed);
}

TEST_F(JudgeTest, ReportsFollowTheContract) {
  const auto graph = Net().Build();
  MakeReference(*graph);
  const JudgeRequest request = Artifact(*graph);
  const ParityResult result = Verdict(request);
  const nlohmann::json parity = result.ToJson();
  EXPECT_EQ(parity["verdict"], "passed");
  EXPECT_EQ(parity["samples"], 8);
  EXPECT_EQ(parity["thresholds"]["raw"]["l_inf_scaled"], 5e-5);
  const nlohmann::json& run = parity["runs"][0];
  EXPECT_EQ(run["verified_by"]["name"], "onnxruntime");
  EXPECT_EQ(run["verified_by"]["kind"], "runtime");
  EXPECT_EQ(run["outputs"][0]["role"], "output");
  EXPECT_EQ(run["outputs"][2]["role"], "before_activation");
  EXPECT_TRUE(run["outputs"][0].contains("p999"));
  EXPECT_EQ(ParityReport(request, result)["target"], "onnx");
}

TEST_F(JudgeTest, TheFirstDivergingLayerIsNamed) {
  const auto graph = Net().Build();
  MakeReference(*graph);
  ASSERT_EQ(reference_.samples[0].inner.size(), 1u);
  Net wrong;
  wrong.wrong_weight = 0.1f;
  const JudgeRequest request = Artifact(*wrong.Build());
  const nlohmann::json report = ParityReport(request, Verdict(request));
  ASSERT_EQ(report["runs"][0]["layers"].size(), 1u);
  EXPECT_EQ(report["runs"][0]["layers"][0]["source"], "scores");
  EXPECT_EQ(report["runs"][0]["first_diverging_layer"], "scores");
  const JudgeRequest right = Artifact(*graph);
  EXPECT_TRUE(ParityReport(right, Verdict(right))["runs"][0]["first_diverging_layer"].is_null());
}

TEST_F(JudgeTest, ABundleReadsBackAsItWasWritten) {
  const auto graph = Net().Build();
  MakeReference(*graph);
  reference_.constant_outputs = {"c"};
  const std::filesystem::path path = folder() / "bundle";
  ASSERT_TRUE(reference_.Write(path).ok());
  auto read = ReferenceBundle::Read(*MappedFile::Open(path));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->reference, reference_.reference);
  EXPECT_EQ(read->constant_outputs, reference_.constant_outputs);
  ASSERT_EQ(read->final_activations.size(), 1u);
  EXPECT_EQ(read->final_activations[0].before, "scores");
  EXPECT_EQ(read->final_activations[0].kind, OpKind::kSoftmax);
  ASSERT_EQ(read->samples.size(), reference_.samples.size());
  for (size_t i = 0; i < read->samples.size(); ++i) {
    EXPECT_TRUE(read->samples[i].inputs[0].second.SameBytes(reference_.samples[i].inputs[0].second));
    EXPECT_TRUE(read->samples[i].outputs[1].second.SameBytes(reference_.samples[i].outputs[1].second));
    EXPECT_TRUE(
        read->samples[i].before_activation[0].second.SameBytes(reference_.samples[i].before_activation[0].second));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(read->samples[i].outputs[0].second.bytes().data()) % 64, 0u);
  }
  const std::string whole = *ReadFile(path);
  for (const size_t length : {size_t{4}, size_t{40}, whole.size() - 1000}) {
    ASSERT_TRUE(WriteFileAtomically(path, whole.substr(0, length)).ok());
    EXPECT_EQ(ReferenceBundle::Read(*MappedFile::Open(path)).status().code(), absl::StatusCode::kDataLoss) << length;
  }
}

TEST(InterfaceTest, PermutationAndDroppedAxisAreAppliedAndUndone) {
  std::vector<float> values(1 * 2 * 3 * 4);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  const Tensor source = Tensor::From<float>({1, 2, 3, 4}, values);
  // NHWC without its batch.
  const InterfaceTensor nhwc{"a", "s", {3, 4, 2}, DataType::kFloat32, "", {0, 2, 3, 1}, 0};
  auto artifact = ToArtifact(source, nhwc);
  ASSERT_TRUE(artifact.ok()) << artifact.status();
  EXPECT_EQ(artifact->shape(), (std::vector<int64_t>{3, 4, 2}));
  EXPECT_EQ(artifact->At<float>(1), 12);  // position (0, 0), channel 1
  auto back = ToSource(*artifact, nhwc, DataType::kFloat32);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_TRUE(back->SameBytes(source));
  EXPECT_FALSE(ToArtifact(Tensor::From<float>({2, 1, 3, 4}, values), nhwc).ok());
  const InterfaceTensor narrow{"a", "s", {2}, DataType::kInt32, "", {}, -1};
  auto cast = ToArtifact(Tensor::Int64s({5, -6}), narrow);
  ASSERT_TRUE(cast.ok());
  EXPECT_EQ(cast->ToInt64s(), (std::vector<int64_t>{5, -6}));
  EXPECT_EQ(ToSource(*cast, narrow, DataType::kInt64)->type(), DataType::kInt64);
}

TEST(ImagesTest, ABatchIsTakenApartAndJoined) {
  std::vector<float> values(2 * 3);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  const Tensor batch = Tensor::From<float>({2, 3}, values);
  const InterfaceTensor dropped{"a", "x", {3}, DataType::kFloat32, "", {}, 0};
  const InterfaceTensor whole{"b", "x", {2, 3}, DataType::kFloat32, "", {}, -1};
  EXPECT_EQ(ImageOf(batch, dropped, 1, 2).shape(), (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(ImageOf(batch, dropped, 1, 2).ToFloats(), (std::vector<float>{3, 4, 5}));
  EXPECT_TRUE(ImageOf(batch, whole, 1, 2).SameBytes(batch));
  // Along the last axis: columns.
  const InterfaceTensor columns{"a", "x", {3}, DataType::kFloat32, "", {}, 1};
  const Tensor transposed = Tensor::From<float>({3, 2}, {0, 3, 1, 4, 2, 5});
  const std::vector<Tensor> images = {ImageOf(transposed, columns, 0, 2), ImageOf(transposed, columns, 1, 2)};
  EXPECT_EQ(images[1].ToFloats(), (std::vector<float>{3, 4, 5}));
  EXPECT_TRUE(JoinImages(images, {3, 2})->SameBytes(transposed));
  EXPECT_TRUE(JoinImages({images[0].Reshaped({1, 3}), images[1].Reshaped({1, 3})}, {2, 3})->SameBytes(batch));
  EXPECT_FALSE(JoinImages(images, {3, 3}).ok());
  EXPECT_FALSE(JoinImages({images[0], batch}, {3, 2}).ok());

  // Only where the source leaves the batch open.
  Sample one, two;
  one.inputs = {{"x", ImageOf(batch, dropped, 0, 2)}};
  two.inputs = {{"x", batch}};
  EXPECT_EQ(ImagesOf({{dropped}, {}}, two, {one, two}), 2);
  EXPECT_EQ(ImagesOf({{dropped}, {}}, one, {one, two}), 1);
  EXPECT_EQ(ImagesOf({{dropped}, {}}, two, {two, two}), 1);
  EXPECT_EQ(ImagesOf({{whole}, {}}, two, {one, two}), 1);
}

TEST(InterfaceTest, InnerTensorsLoseScaleAndPermutation) {
  // The value is transpose(source, {0, 2, 1}) with channel 0 doubled and channel 1 halved, without its batch.
  const Tensor artifact = Tensor::From<float>({2, 2}, {2, 0.5f, 4, 1});
  ArtifactValue value{"v", {"s", {0, 2, 1}, {2, 0.5f}, 2}, 0};
  auto source = ToSource(artifact, value);
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ(source->shape(), (std::vector<int64_t>{1, 2, 2}));
  EXPECT_EQ(source->ToFloats(), (std::vector<float>{1, 2, 1, 2}));
}

// Several features in one table: each column's indices are moved to its rows before they are looked up.
TEST(SamplesTest, ShiftedIndicesStayWithinTheTable) {
  Graph graph;
  Value* table = graph.AddConstant("table", Tensor::Allocate(DataType::kFloat32, {24, 4}).first);
  Value* ids = graph.AddInput("ids", DataType::kInt64, {2, 3});
  Value* offsets = graph.AddConstant("offsets", Tensor::From<int64_t>({1, 3}, {0, 8, 16}));
  Value* doubled =
      graph.AddNode(OpKind::kMul, {ids, graph.AddConstant("two", Tensor::From<int64_t>({}, {2}))}, {"doubled"})
          ->output();
  Value* moved = graph.AddNode(OpKind::kAdd, {offsets, doubled}, {"moved"})->output();
  graph.AddOutput(graph.AddNode(OpKind::kGather, {table, moved}, {"rows"})->output());
  auto samples = MakeSamples(graph, {});
  ASSERT_TRUE(samples.ok()) << samples.status();
  int64_t most = 0;
  for (const Sample& sample : *samples) {
    for (const int64_t index : sample.inputs[0].second.ToInt64s()) {
      EXPECT_GE(index, 0);
      most = std::max(most, index);
    }
  }
  EXPECT_EQ(most, 3);  // 16 + 2 * 3 = 22 is a row, 24 none
}

TEST(SamplesTest, AreDrawnByUseAndRepeatExactly) {
  Graph graph;
  Value* table = graph.AddConstant("table", Tensor::Allocate(DataType::kFloat32, {11, 4}).first);
  Value* ids = graph.AddInput("ids", DataType::kInt64, {1, Dim::Symbol("S")});
  Value* image = graph.AddInput("image", DataType::kFloat32, {Dim::Symbol("batch"), 3, 32, 32});
  graph.AddInput("attention_mask", DataType::kInt64, {1, Dim::Symbol("S")});
  Value* rows =
      graph.AddNode(OpKind::kGather, {table, graph.AddNode(OpKind::kIdentity, {ids}, {"same"})->output()}, {"rows"})
          ->output();
  graph.AddOutput(rows);
  graph.AddOutput(graph.AddNode(OpKind::kRelu, {image}, {"out"})->output());
  auto samples = MakeSamples(graph, {});
  ASSERT_TRUE(samples.ok()) << samples.status();
  ASSERT_EQ(samples->size(), 8u);
  bool uses_high_rows = false;
  for (const Sample& sample : *samples) {
    const auto indices = sample.inputs[0].second.ToInt64s();
    EXPECT_EQ(sample.inputs[0].second.shape(), sample.inputs[2].second.shape());
    for (const int64_t index : indices) {
      EXPECT_GE(index, 0);
      EXPECT_LT(index, 11);
      uses_high_rows |= index > 7;
    }
    const auto pixels = sample.inputs[1].second.ToFloats();
    double step = 0, spread = 0, mean = 0;
    for (size_t i = 1; i < pixels.size(); ++i) {
      ASSERT_LE(std::abs(pixels[i]), 1);
      mean += pixels[i] / static_cast<double>(pixels.size());
      if (i % 32 != 0) step += std::abs(pixels[i] - pixels[i - 1]) / static_cast<double>(pixels.size());
    }
    for (const float pixel : pixels) spread += std::abs(pixel - mean) / static_cast<double>(pixels.size());
    EXPECT_LT(step, 0.8 * spread);  // neighbours are alike
    for (const int64_t bit : sample.inputs[2].second.ToInt64s()) EXPECT_TRUE(bit == 0 || bit == 1);
  }
  EXPECT_TRUE(uses_high_rows);
  EXPECT_NE((*samples)[0].inputs[0].second.shape(), (*samples)[7].inputs[0].second.shape());
  EXPECT_EQ((*samples)[0].inputs[1].second.shape()[0], 1);
  EXPECT_EQ((*samples)[7].inputs[1].second.shape()[0], 2);
  auto again = MakeSamples(graph, {});
  EXPECT_TRUE((*again)[3].inputs[1].second.SameBytes((*samples)[3].inputs[1].second));
  EXPECT_FALSE((*samples)[3].inputs[1].second.SameBytes((*samples)[2].inputs[1].second));
  SampleOptions other;
  other.seed = 1;
  EXPECT_FALSE((*MakeSamples(graph, other))[3].inputs[1].second.SameBytes((*samples)[3].inputs[1].second));
  SampleOptions few;
  few.count = 1;
  EXPECT_EQ(MakeSamples(graph, few)->size(), 4u);  // two a size
}

TEST(FinalActivationTest, IsFoundThroughReshapingOnly) {
  Graph graph;
  Value* x = graph.AddInput("x", DataType::kFloat32, {1, 4});
  x->origin.source = "x";
  Value* probabilities = graph.AddNode(OpKind::kSigmoid, {x}, {"p"})->output();
  graph.AddOutput(
      graph.AddNode(OpKind::kFlatten, {graph.AddNode(OpKind::kIdentity, {probabilities}, {"q"})->output()}, {"flat"})
          ->output());
  graph.AddOutput(graph.AddNode(OpKind::kNeg, {probabilities}, {"negative"})->output());
  ASSERT_TRUE(MakeInferShapes()->Run(graph).ok());
  const auto found = FindFinalActivations(graph);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].output, "flat");
  EXPECT_EQ(found[0].before, "x");
  EXPECT_EQ(found[0].kind, OpKind::kSigmoid);
}

}  // namespace
}  // namespace slipway
