// Verdicts end to end in onnxruntime: right artifacts pass, and each way of being wrong gets the verdict it deserves.
#include <cerrno>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "common/base/error.h"
#include "convert/onnx_form/onnx_form.h"
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

// A verdict is kept for good: what another try would mend must not become one.
TEST_F(JudgeTest, AFullDiskIsNoVerdict) {
  class FullDisk final : public HostProvider {
   public:
    explicit FullDisk(std::filesystem::path scratch) : scratch_(std::move(scratch)) {}
    absl::StatusOr<std::shared_ptr<Channel>> Acquire(std::string_view) override {
      return ErrnoStatus(ENOSPC, "write a copy of the model");
    }
    std::filesystem::path scratch() const override { return scratch_; }

   private:
    const std::filesystem::path scratch_;
  };
  const auto graph = Net().Build();
  MakeReference(*graph);
  FullDisk hosts(folder());
  const auto result = Judge(hosts, Artifact(*graph), reference_);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(KindOf(result.status()), ErrorKind::kMachine);
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

}  // namespace
}  // namespace slipway
