#include "tests/tflite/harness.h"

#include "convert/passes/passes.h"

namespace slipway::testing {

absl::StatusOr<Emitted> ConvertToTflite(const Graph& graph, const std::filesystem::path& folder,
                                        std::unique_ptr<Graph>* legalized) {
  const TargetOptions options{.model_name = "model"};
  std::unique_ptr<Graph> clone = graph.Clone();
  RETURN_IF_ERROR(Simplify(*clone));
  RETURN_IF_ERROR(clone->Validate());
  RETURN_IF_ERROR(TfliteTarget().Legalize(*clone, options));
  RETURN_IF_ERROR(clone->Validate());
  for (const auto& node : clone->nodes()) RETURN_IF_ERROR(TfliteTarget().Check(*node, options));
  ASSIGN_OR_RETURN(Emitted emitted, TfliteTarget().Emit(*clone, options, folder));
  if (legalized != nullptr) *legalized = std::move(clone);
  return emitted;
}

absl::StatusOr<double> CompareInLitert(const Graph& graph, const std::vector<std::map<std::string, int64_t>>& sizes,
                                       float low, float high) {
  ASSIGN_OR_RETURN(const TemporaryFolder folder, TemporaryFolder::Create("/tmp", "slipway-tflite-case-"));
  ASSIGN_OR_RETURN(const Emitted emitted, ConvertToTflite(graph, folder.path()));
  double worst = 0;
  for (const std::string& configuration : JudgeConfigurations("tflite", "fp32")) {
    ASSIGN_OR_RETURN(const std::unique_ptr<Session> session,
                     LoadArtifact(Hosts(), "tflite", configuration, folder.path() / emitted.path));
    for (const auto& binding : sizes) {
      const NamedTensors inputs = RandomInputs(graph, binding, low, high);
      ASSIGN_OR_RETURN(const NamedTensors expected, RunInOnnxruntime(graph, inputs));
      std::vector<std::string> names;
      for (const InterfaceTensor& output : emitted.io.outputs) names.push_back(output.name);
      ASSIGN_OR_RETURN(const NamedTensors actual, session->Run(inputs, names));
      for (size_t i = 0; i < expected.size(); ++i)
        worst = std::max(worst, Difference(expected[i].second, actual[i].second));
    }
  }
  return worst;
}

int CountKind(const Graph& graph, OpKind kind) {
  int count = 0;
  for (const auto& node : graph.nodes()) count += node->kind == kind ? 1 : 0;
  return count;
}

}  // namespace slipway::testing
