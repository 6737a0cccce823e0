#include "tests/ncnn/harness.h"

#include <cmath>
#include <cstdlib>

#include "common/base/error.h"
#include "common/base/random.h"
#include "convert/onnx_form/onnx_form.h"
#include "convert/passes/passes.h"

namespace slipway::testing {

HostProvider& Hosts() {
  static TemporaryFolder* const scratch = [] {
    auto folder = TemporaryFolder::Create("/tmp", "slipway-ncnn-test-");
    if (!folder.ok()) std::abort();
    return new TemporaryFolder(*std::move(folder));
  }();
  static const std::unique_ptr<HostProvider> hosts = [] {
    const char* python = std::getenv("SLIPWAY_PYTHON");
    return SpawningHosts(python != nullptr ? python : "SLIPWAY_PYTHON is not set", scratch->path());
  }();
  return *hosts;
}

Tensor RandomTensor(std::vector<int64_t> shape, uint64_t seed, float low, float high) {
  Random random(seed);
  std::vector<float> values(static_cast<size_t>(ElementCount(shape)));
  for (float& value : values) value = low + (high - low) * static_cast<float>(random.Uniform());
  return Tensor::From(std::move(shape), values);
}

absl::StatusOr<Emitted> ConvertToNcnn(const Graph& graph, const std::filesystem::path& folder) {
  const TargetOptions options{.model_name = "model"};
  const std::unique_ptr<Graph> clone = graph.Clone();
  RETURN_IF_ERROR(Simplify(*clone));
  RETURN_IF_ERROR(NcnnTarget().Legalize(*clone, options));
  RETURN_IF_ERROR(clone->Validate());
  for (const auto& node : clone->nodes()) RETURN_IF_ERROR(NcnnTarget().Check(*node, options));
  return NcnnTarget().Emit(*clone, options, folder);
}

absl::StatusOr<double> CompareWithOnnxruntime(const Graph& graph, const std::map<std::string, int64_t>& sizes,
                                              float low, float high) {
  ASSIGN_OR_RETURN(const TemporaryFolder folder, TemporaryFolder::Create("/tmp", "slipway-ncnn-case-"));
  const std::filesystem::path onnx = folder.path() / "reference.onnx";
  RETURN_IF_ERROR(WriteOnnxFile(graph, {}, onnx).status());
  ASSIGN_OR_RETURN(const Emitted emitted, ConvertToNcnn(graph, folder.path()));
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> reference, LoadReference(Hosts(), onnx));
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> ncnn,
                   LoadArtifact(Hosts(), "ncnn", "fp16 options off", folder.path() / emitted.path));

  NamedTensors source, blobs;
  for (size_t i = 0; i < graph.inputs().size(); ++i) {
    const Value* input = graph.inputs()[i];
    std::vector<int64_t> shape;
    for (const Dim& dim : *input->shape) shape.push_back(dim.Evaluate(sizes).value_or(-1));
    const Tensor tensor = RandomTensor(shape, 7 + i, low, high);
    const InterfaceTensor& blob = emitted.io.inputs.at(i);
    if (blob.source != input->name) return Internal("io schema: '{}' is not '{}'", blob.source, input->name);
    source.emplace_back(input->name, tensor);
    if (blob.dropped_axis == 0) shape.erase(shape.begin());
    if (shape.empty()) shape.push_back(1);
    blobs.emplace_back(blob.name, tensor.Reshaped(shape));
  }
  std::vector<std::string> source_names, blob_names;
  for (const Value* output : graph.outputs()) source_names.push_back(output->name);
  for (const InterfaceTensor& output : emitted.io.outputs) blob_names.push_back(output.name);
  ASSIGN_OR_RETURN(const NamedTensors expected, reference->Run(source, source_names));
  ASSIGN_OR_RETURN(const NamedTensors actual, ncnn->Run(blobs, blob_names));

  double worst = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const Tensor &want = expected[i].second, &got = actual.at(i).second;
    std::vector<int64_t> shape = want.shape();
    if (emitted.io.outputs[i].dropped_axis == 0) shape.erase(shape.begin());
    if (shape.empty()) shape.push_back(1);
    if (got.shape() != shape)
      return Internal("output '{}' is {}, not {}", expected[i].first, ToString(got.shape()), ToString(shape));
    double error = 0, scale = 0;
    const std::vector<float> a = want.ToFloats(), b = got.ToFloats();
    for (size_t k = 0; k < a.size(); ++k) {
      if (!std::isfinite(b[k])) return Internal("output '{}' is not finite at {}", expected[i].first, k);
      error = std::max(error, std::abs(static_cast<double>(a[k]) - b[k]));
      scale = std::max(scale, std::abs(static_cast<double>(a[k])));
    }
    worst = std::max(worst, error / (scale > 0 ? scale : 1));
  }
  return worst;
}

}  // namespace slipway::testing
