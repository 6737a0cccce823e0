// The trained networks on every target: what was converted passes, and the same with one layer's weights a hundredth off fails.
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

    const Graph& graph = *imported_.as_written;
    auto samples = MakeSamples(graph, {});
    ASSERT_TRUE(samples.ok()) << samples.status();
    reference_.samples = *std::move(samples);
    reference_.final_activations = FindFinalActivations(graph);
    ASSERT_TRUE(WriteOnnxFile(graph, {}, folder() / "source.onnx").ok());
    const absl::Status run =
        RunReference(*hosts_, folder() / "source.onnx", reference_.final_activations, reference_.samples);
    ASSERT_TRUE(run.ok()) << run;
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
TEST_F(TargetsTest, Rnet) { ExpectVerdicts("rnet"); }
TEST_F(TargetsTest, Onet) { ExpectVerdicts("onet"); }

}  // namespace
}  // namespace slipway
