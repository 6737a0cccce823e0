#include "tests/ncnn/harness.h"

#include <cmath>
#include <cstdlib>
#include <set>
#include <sstream>

#include "common/base/error.h"
#include "common/base/random.h"
#include "convert/onnx_form/onnx_form.h"
#include "convert/passes/passes.h"

namespace slipway::testing {

namespace {

// The format's own rules: counts that are true, blobs that are made before they are read, and read once; a blob that is fetched by name is not read.
absl::Status CheckParamFile(const std::filesystem::path& path, const std::vector<InterfaceTensor>& outputs) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  std::istringstream lines(text);
  std::string magic, line;
  size_t layers = 0, blobs = 0, seen = 0;
  lines >> magic >> layers >> blobs;
  std::getline(lines, line);
  std::set<std::string> names, made, unread;
  while (std::getline(lines, line)) {
    ++seen;
    std::istringstream words(line);
    std::string type, name, blob;
    int inputs = 0, results = 0;
    words >> type >> name >> inputs >> results;
    if (!names.insert(name).second) return Internal("two layers are called '{}'", name);
    for (; inputs > 0; --inputs) {
      words >> blob;
      if (unread.erase(blob) == 0)
        return Internal("'{}' reads '{}', which is not made before, or read already", name, blob);
    }
    for (; results > 0; --results) {
      words >> blob;
      if (!made.insert(blob).second) return Internal("'{}' is made twice", blob);
      unread.insert(blob);
    }
  }
  if (magic != "7767517" || seen != layers || made.size() != blobs)
    return Internal("the counts are {} {} for {} layers, {} blobs", layers, blobs, seen, made.size());
  for (const InterfaceTensor& output : outputs) {
    if (!unread.contains(output.name)) return Internal("output '{}' is not there, or read by a layer", output.name);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Emitted> ConvertToNcnn(const Graph& graph, const std::filesystem::path& folder) {
  const TargetOptions options{.model_name = "model"};
  const std::unique_ptr<Graph> clone = graph.Clone();
  RETURN_IF_ERROR(Simplify(*clone));
  RETURN_IF_ERROR(NcnnTarget().Legalize(*clone, options));
  RETURN_IF_ERROR(clone->Validate());
  for (const auto& node : clone->nodes()) RETURN_IF_ERROR(NcnnTarget().Check(*node, options));
  ASSIGN_OR_RETURN(Emitted emitted, NcnnTarget().Emit(*clone, options, folder));
  RETURN_IF_ERROR(CheckParamFile(folder / emitted.path, emitted.io.outputs));
  return emitted;
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
    const Tensor tensor = RandomTensor(shape, 7 + i, low, high).Cast(input->type);
    const InterfaceTensor& blob = emitted.io.inputs.at(i);
    if (blob.source != input->name) return Internal("io schema: '{}' is not '{}'", blob.source, input->name);
    source.emplace_back(input->name, tensor);
    if (blob.dropped_axis == 0) shape.erase(shape.begin());
    if (shape.empty()) shape.push_back(1);
    blobs.emplace_back(blob.name, tensor.Reshaped(shape).Cast(blob.type));
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
