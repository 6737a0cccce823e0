#include "tests/coreml/harness.h"

#include <cmath>
#include <cstdlib>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/random.h"
#include "convert/onnx_form/onnx_form.h"
#include "convert/passes/passes.h"
#include "tests/support/hosts.h"

namespace slipway::testing {
namespace {

std::string Python() {
  const char* python = std::getenv("SLIPWAY_PYTHON");
  return python != nullptr ? python : "SLIPWAY_PYTHON-is-not-set";
}

Tensor InputFor(DataType type, const std::vector<int64_t>& shape, uint64_t seed, float low, float high) {
  Random random(seed);
  std::vector<float> values(static_cast<size_t>(ElementCount(shape)));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = IsFloat(type)             ? low + (high - low) * static_cast<float>(random.Uniform())
                : type == DataType::kBool ? static_cast<float>(i % 2)
                                          : static_cast<float>(i);
  }
  return Tensor::From(shape, values).Cast(type);
}

}  // namespace

absl::StatusOr<Emitted> ConvertToCoreml(const Graph& graph, const std::filesystem::path& folder,
                                        std::unique_ptr<Graph>* legalized) {
  const TargetOptions options{.model_name = "model"};
  std::unique_ptr<Graph> clone = graph.Clone();
  RETURN_IF_ERROR(Simplify(*clone));
  RETURN_IF_ERROR(CoremlTarget().Legalize(*clone, options));
  RETURN_IF_ERROR(clone->Validate());
  for (const auto& node : clone->nodes()) RETURN_IF_ERROR(CoremlTarget().Check(*node, options));
  absl::StatusOr<Emitted> emitted = CoremlTarget().Emit(*clone, options, folder);
  if (legalized != nullptr) *legalized = std::move(clone);
  return emitted;
}

absl::Status CheckPackages(const std::vector<std::filesystem::path>& packages) {
  const auto log = TemporaryFolder::Create("/tmp", "slipway-coreml-log-");
  if (!log.ok()) return log.status();
  std::string command = fmt::format("'{}' '{}/tests/coreml/check_package.py'", Python(), SLIPWAY_SOURCE_DIR);
  for (const std::filesystem::path& package : packages) command += fmt::format(" '{}'", package.string());
  const std::filesystem::path output = log->path() / "log";
  if (std::system(fmt::format("{} >'{}' 2>&1", command, output.string()).c_str()) == 0) return absl::OkStatus();
  return Internal("coremltools: {}", ReadFile(output).value_or("no output"));
}

absl::StatusOr<double> CompareWithOnnxruntime(const Graph& graph, const std::map<std::string, int64_t>& sizes,
                                              float low, float high) {
  ASSIGN_OR_RETURN(const TemporaryFolder folder, TemporaryFolder::Create("/tmp", "slipway-coreml-case-"));
  const std::filesystem::path onnx = folder.path() / "reference.onnx";
  RETURN_IF_ERROR(WriteOnnxFile(graph, {}, onnx).status());
  ASSIGN_OR_RETURN(const Emitted emitted, ConvertToCoreml(graph, folder.path()));
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> reference, LoadReference(Hosts(), onnx));
  ASSIGN_OR_RETURN(
      const std::unique_ptr<Session> interpreter,
      LoadArtifact(Hosts(), "coreml", JudgeConfigurations("coreml", "fp32").at(0), folder.path() / emitted.path));

  NamedTensors source, features;
  for (size_t i = 0; i < graph.inputs().size(); ++i) {
    const Value* input = graph.inputs()[i];
    std::vector<int64_t> shape;
    for (const Dim& dim : *input->shape) shape.push_back(dim.Evaluate(sizes).value_or(-1));
    const Tensor tensor = InputFor(input->type, shape, 7 + i, low, high);
    const InterfaceTensor& feature = emitted.io.inputs.at(i);
    if (feature.source != input->name) return Internal("io schema: '{}' is not '{}'", feature.source, input->name);
    source.emplace_back(input->name, tensor);
    features.emplace_back(feature.name,
                          tensor.Cast(feature.type).Reshaped(shape.empty() ? std::vector<int64_t>{1} : shape));
  }
  std::vector<std::string> source_names, feature_names;
  for (const Value* output : graph.outputs()) source_names.push_back(output->name);
  for (const InterfaceTensor& output : emitted.io.outputs) feature_names.push_back(output.name);
  ASSIGN_OR_RETURN(const NamedTensors expected, reference->Run(source, source_names));
  ASSIGN_OR_RETURN(const NamedTensors actual, interpreter->Run(features, feature_names));
  double worst = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const Tensor &want = expected[i].second, &got = actual.at(i).second;
    if (got.type() != emitted.io.outputs[i].type)
      return Internal("output '{}' is {}", expected[i].first, Name(got.type()));
    if (got.shape() != want.shape())
      return Internal("output '{}' is {}, not {}", expected[i].first, ToString(got.shape()), ToString(want.shape()));
    double error = 0, scale = 0;
    const std::vector<double> a = want.ToDoubles(), b = got.ToDoubles();
    for (size_t k = 0; k < a.size(); ++k) {
      if (!std::isfinite(b[k])) return Internal("output '{}' is not finite at {}", expected[i].first, k);
      error = std::max(error, std::abs(a[k] - b[k]));
      scale = std::max(scale, std::abs(a[k]));
    }
    worst = std::max(worst, error / (scale > 0 ? scale : 1));
  }
  return worst;
}

}  // namespace slipway::testing
