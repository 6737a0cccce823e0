// The trained networks on every target: what was converted passes, and the same with one layer's weights a hundredth off fails.
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "convert/import/import.h"
#include "convert/onnx_form/onnx_form.h"
#include "convert/parity/parity.h"
#include "convert/passes/passes.h"
#include "convert/targets/convert.h"
#include "tests/parity/hosts.h"
#include "tests/support/mtcnn.h"

namespace slipway {
namespace {

class TargetsTest : public HostsTest {
 protected:
  void ImportNet(const std::string& net) {
    auto imported = testing::ImportMtcnn(net);
    ASSERT_TRUE(imported.ok()) << imported.status();
    imported_ = *std::move(imported);
    ASSERT_NE(imported_.as_written, nullptr);
    UseReference(*imported_.as_written, 8);
  }

  ParityResult ConvertAndJudge(std::unique_ptr<Graph> graph, const std::string& target) {
    request_ = {target, "fp32", folder() / (target + std::to_string(++made_)), {}, {}};
    JudgeRequest& request = request_;
    std::filesystem::create_directory(request.folder);
    TargetOptions options;
    options.model_name = "net";
    auto emitted = ConvertTo(*FindTargetByName(target), std::move(graph), options, request.folder);
    EXPECT_TRUE(emitted.ok()) << emitted.status();
    if (!emitted.ok()) return {};
    request.emitted = *std::move(emitted);
    auto result = Judge(*hosts_, request, reference_);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *result : ParityResult();
  }

  // The core graph with the weights of its last convolution or product a hundredth larger.
  std::unique_ptr<Graph> Spoilt() const {
    auto graph = imported_.model.graph->Clone();
    Value* weights = nullptr;
    for (const auto& node : graph->nodes()) {
      const bool has_weights =
          node->kind == OpKind::kConv || node->kind == OpKind::kGemm || node->kind == OpKind::kMatMul;
      if (has_weights && node->constant(1) != nullptr) weights = node->input(1);
    }
    EXPECT_NE(weights, nullptr);
    std::vector<float> values = weights->constant->ToFloats();
    for (float& value : values) value *= 1.01f;
    weights->constant = Tensor::From<float>(weights->constant->shape(), values);
    return graph;
  }

  void ExpectVerdicts(const std::string& net) {
    ASSERT_NO_FATAL_FAILURE(ImportNet(net));
    for (const char* target : {"onnx", "tflite", "coreml", "ncnn"}) {
      SCOPED_TRACE(target);
      const ParityResult right = ConvertAndJudge(imported_.model.graph->Clone(), target);
      EXPECT_EQ(right.verdict, Verdict::kPassed) << right.reason;
      bool shows_before = false;
      for (const JudgeRun& run : right.runs) {
        EXPECT_EQ(run.verdict, Verdict::kPassed) << run.verified_by.configuration << ": " << run.reason;
        for (const OutputFigures& output : run.outputs) shows_before |= output.role == OutputRole::kBeforeActivation;
      }
      EXPECT_TRUE(shows_before);
      // Layers are seen somewhere, and none is off before the one that was spoilt: the last.
      size_t layers = 0;
      for (const JudgeRun& run : right.runs) {
        layers = std::max(layers, run.layers.size());
        for (const LayerFigures& layer : run.layers) EXPECT_LT(layer.metrics.l_inf_scaled, 1e-4) << layer.name;
      }
      EXPECT_GE(layers, 4u);
      const ParityResult spoilt = ConvertAndJudge(Spoilt(), target);
      EXPECT_EQ(spoilt.verdict, Verdict::kFailed);
      const nlohmann::json report = ParityReport(request_, spoilt);
      for (const nlohmann::json& run : report["runs"]) {
        if (run["layers"].empty()) continue;
        EXPECT_LT(run["layers"][0]["l_inf_scaled"], 1e-4);
      }
    }
  }

  // Judges by what `graph` computes.
  void UseReference(const Graph& graph, int count) {
    reference_ = {};
    auto samples = MakeSamples(graph, {.count = count});
    ASSERT_TRUE(samples.ok()) << samples.status();
    reference_.samples = *std::move(samples);
    reference_.final_activations = FindFinalActivations(graph);
    std::filesystem::remove(folder() / "source.onnx");
    ASSERT_TRUE(WriteOnnxFile(graph, {}, folder() / "source.onnx").ok());
    const absl::Status run =
        RunReference(*hosts_, folder() / "source.onnx", reference_.final_activations, reference_.samples);
    ASSERT_TRUE(run.ok()) << run;
  }

  Imported imported_;
  ReferenceBundle reference_;
  JudgeRequest request_;
  int made_ = 0;
};

TEST_F(TargetsTest, Pnet) {
  ExpectVerdicts("pnet");
  ASSERT_EQ(reference_.samples.size(), 8u);
  EXPECT_NE(reference_.samples[0].inputs[0].second.shape(), reference_.samples[7].inputs[0].second.shape());
}
// A batch that nothing fixes: every format is proved at 1 and at 2.
class BatchTest : public TargetsTest {
 protected:
  // conv → relu → mean → flatten → gemm → softmax over `softmax_axis`.
  static std::unique_ptr<Graph> Classifier(int64_t softmax_axis) {
    auto graph = std::make_unique<Graph>();
    const auto constant = [&](const std::string& name, std::vector<int64_t> shape, float step) {
      std::vector<float> values(static_cast<size_t>(ElementCount(shape)));
      for (size_t i = 0; i < values.size(); ++i) values[i] = std::sin(step * static_cast<float>(i + 1));
      return graph->AddConstant(name, Tensor::From<float>(std::move(shape), values));
    };
    Value* image = graph->AddInput("image", DataType::kFloat32, {Dim::Symbol("batch"), 3, 10, 12});
    Attributes axis;
    axis.Set("axis", softmax_axis);
    Value* value = graph->AddNode(OpKind::kConv, {image, constant("w", {8, 3, 3, 3}, 1.7f)}, {"conv"})->output();
    value = graph->AddNode(OpKind::kRelu, {value}, {"relu"})->output();
    value = graph->AddNode(OpKind::kGlobalAveragePool, {value}, {"mean"})->output();
    value = graph->AddNode(OpKind::kFlatten, {value}, {"flat"})->output();
    value = graph->AddNode(OpKind::kGemm, {value, constant("head", {8, 5}, 2.3f)}, {"logits"})->output();
    graph->AddOutput(graph->AddNode(OpKind::kSoftmax, {value}, {"probs"}, axis)->output());
    EXPECT_TRUE(MakeInferShapes()->Run(*graph).ok());
    for (Value* inner : graph->values()) inner->origin.source = inner->name;
    return graph;
  }
};

TEST_F(BatchTest, IsProvedAtTwoSizesInEveryFormat) {
  const auto graph = Classifier(1);
  ASSERT_NO_FATAL_FAILURE(UseReference(*graph, 4));
  ASSERT_EQ(reference_.samples.size(), 4u);
  EXPECT_EQ(reference_.samples[3].inputs[0].second.shape()[0], 2);
  for (const char* target : {"onnx", "tflite", "coreml", "ncnn"}) {
    const ParityResult result = ConvertAndJudge(graph->Clone(), target);
    EXPECT_EQ(result.verdict, Verdict::kPassed) << target << ": " << result.reason;
  }
}

TEST_F(BatchTest, FrozenAtOneFailsWhereTheFormatHasABatch) {
  const auto graph = Classifier(1);
  ASSERT_NO_FATAL_FAILURE(UseReference(*graph, 4));
  for (const char* target : {"onnx", "tflite", "coreml"}) {
    auto frozen = graph->Clone();
    ASSERT_TRUE(BindSymbols(*frozen, {{"batch", 1}}).ok());
    EXPECT_EQ(ConvertAndJudge(std::move(frozen), target).verdict, Verdict::kFailed) << target;
  }
}

TEST_F(BatchTest, ImagesThatDependOnEachOtherFailWhereTheFormatHasNone) {
  const auto graph = Classifier(0);
  ASSERT_NO_FATAL_FAILURE(UseReference(*graph, 4));
  const ParityResult alone = ConvertAndJudge(graph->Clone(), "ncnn");
  EXPECT_EQ(alone.verdict, Verdict::kFailed);
  EXPECT_NE(alone.reason.find("image by image"), std::string::npos) << alone.reason;
}

TEST_F(TargetsTest, Rnet) { ExpectVerdicts("rnet"); }
TEST_F(TargetsTest, Onet) { ExpectVerdicts("onet"); }

}  // namespace
}  // namespace slipway
