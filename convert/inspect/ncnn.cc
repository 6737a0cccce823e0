#include <set>

#include "common/base/error.h"
#include "convert/inspect/formats.h"
#include "convert/targets/ncnn/reader/reader.h"

namespace slipway::inspect {
namespace {

using namespace ncnn_reader;  // NOLINT: what it reads

// An Input layer may say its blob's sizes: w, h, d, c. 0 or below: any.
std::optional<std::vector<std::string>> InputShape(const LayerInfo& layer) {
  std::vector<std::string> shape;
  for (const int id : {2, 11, 1, 0}) {  // outermost first
    if (!layer.params.contains(id)) continue;
    const int64_t size = layer.Int(id, 0);
    shape.push_back(size > 0 ? std::to_string(size) : "?");
  }
  if (shape.empty()) return std::nullopt;
  return shape;
}

}  // namespace

absl::StatusOr<ModelSummary> InspectNcnn(const std::filesystem::path& path, const File& file) {
  const auto bytes = file->bytes();
  ASSIGN_OR_RETURN(const ModelInfo model,
                   ReadParam(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size())));
  ModelSummary summary{.format = "ncnn"};
  summary.facts.emplace_back("layers", std::to_string(model.layers.size()));
  summary.facts.emplace_back("blobs", std::to_string(model.blobs));
  summary.files.push_back({path.string(), bytes.size()});
  std::set<std::string> read;
  for (const LayerInfo& layer : model.layers) read.insert(layer.inputs.begin(), layer.inputs.end());
  for (const LayerInfo& layer : model.layers) {
    NodeSummary node{.op = layer.type, .name = layer.name, .inputs = layer.inputs};
    for (const std::string& output : layer.outputs) {
      TensorSummary blob{.name = output};
      if (layer.type == "Input") {
        blob.type = "float32";
        blob.shape = InputShape(layer);
        summary.inputs.push_back(blob);
      } else if (!read.contains(output)) {
        blob.type = "float32";
        summary.outputs.push_back(blob);
      }
      node.outputs.push_back(std::move(blob));
    }
    summary.nodes.push_back(std::move(node));
  }
  const std::filesystem::path bin = std::filesystem::path(path).replace_extension(".bin");
  std::error_code error;
  if (!std::filesystem::is_regular_file(bin, error)) {
    summary.remarks.push_back(fmt::format("its weights, {}, are missing", bin.string()));
    return summary;
  }
  ASSIGN_OR_RETURN(const File weights, MappedFile::Open(bin));
  summary.files.push_back({bin.string(), weights->bytes().size()});
  ASSIGN_OR_RETURN(const WeightsInfo read_weights, ReadWeights(model, weights->bytes()));
  for (const WeightInfo& weight : read_weights.weights) {
    AddWeight(summary, std::string(weight.type), weight.elements,
              weight.bytes / std::max<int64_t>(weight.elements, 1) * 8);
  }
  if (read_weights.unknown_layer >= 0) {
    const LayerInfo& layer = model.layers[static_cast<size_t>(read_weights.unknown_layer)];
    summary.remarks.push_back(fmt::format("weights from {} '{}' on are not counted", layer.type, layer.name));
  } else if (read_weights.bytes_read != weights->bytes().size()) {
    summary.remarks.push_back(fmt::format("the .bin has {} bytes, of which the layers need {}", weights->bytes().size(),
                                          read_weights.bytes_read));
  }
  return summary;
}

}  // namespace slipway::inspect
