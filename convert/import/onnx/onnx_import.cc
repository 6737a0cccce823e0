#include "convert/import/onnx/onnx_import.h"

#include <algorithm>
#include <set>

#include "common/base/error.h"
#include "convert/import/onnx/graph_import.h"
#include "convert/import/onnx/model_view.h"
#include "convert/onnx_form/onnx_form.h"

namespace slipway {
namespace {

using onnx_import::AttributeView;
using onnx_import::GraphView;
using onnx_import::NodeView;
using onnx_import::TensorView;

void CollectExternal(const TensorView& tensor, std::set<std::string>& names) {
  const auto location = tensor.external_data.find("location");
  if (tensor.external && location != tensor.external_data.end()) names.emplace(location->second);
}

void CollectExternal(const std::vector<NodeView>& nodes, std::set<std::string>& names);

void CollectExternal(const GraphView& graph, std::set<std::string>& names) {
  for (const TensorView& tensor : graph.initializers) CollectExternal(tensor, names);
  for (const auto& sparse : graph.sparse_initializers) {
    CollectExternal(sparse.values, names);
    CollectExternal(sparse.indices, names);
  }
  CollectExternal(graph.nodes, names);
}

void CollectExternal(const std::vector<NodeView>& nodes, std::set<std::string>& names) {
  for (const NodeView& node : nodes) {
    for (const AttributeView& attribute : node.attributes) {
      if (attribute.t != nullptr) CollectExternal(*attribute.t, names);
      if (attribute.g != nullptr) CollectExternal(*attribute.g, names);
    }
  }
}

absl::StatusOr<Model> Read(const Source& source, std::vector<ImportRefusal>* refused) {
  if (source.main.file == nullptr) return InvalidArgument("no file");
  ASSIGN_OR_RETURN(const onnx_import::ModelView view, onnx_import::ReadModelView(source.main.file->bytes()));
  Model model;
  for (const auto& [domain, version] : view.opsets) {
    if (domain.empty()) model.source_opset = static_cast<int>(std::clamp<int64_t>(version, 0, 1000));
  }
  if (model.source_opset == 0 && !view.graph.nodes.empty()) {
    return InvalidArgument("the model does not say which opset of ONNX it uses; export it again");
  }
  if (model.source_opset > kMaxOpset) {
    absl::Status status =
        Unimplemented("the model uses opset {}, the newest supported is {}; export it with opset_version={}",
                      model.source_opset, kMaxOpset, kMaxOpset);
    if (refused == nullptr) return status;
    refused->push_back({"", std::move(status)});
  }
  model.producer = std::string(view.producer_name);
  if (!view.producer_version.empty()) model.producer += " " + std::string(view.producer_version);
  onnx_import::GraphImporter importer(view, source, refused);
  ASSIGN_OR_RETURN(model.graph, importer.Import());
  return model;
}

}  // namespace

absl::StatusOr<Model> ImportOnnx(const Source& source, std::vector<ImportRefusal>* refused) {
  absl::StatusOr<Model> model = Read(source, refused);
  if (!model.ok()) return Annotate(model.status(), source.main.path);
  return model;
}

absl::StatusOr<std::vector<std::string>> ExternalDataFiles(std::span<const std::byte> model) {
  ASSIGN_OR_RETURN(const onnx_import::ModelView view, onnx_import::ReadModelView(model));
  std::set<std::string> names;
  CollectExternal(view.graph, names);
  for (const auto& function : view.functions) CollectExternal(function.nodes, names);
  for (const std::string& name : names) {
    if (!IsContainedPath(name)) {
      return InvalidArgument("external data file '{}' is outside the model's folder; put it beside the model", name);
    }
  }
  return std::vector<std::string>(names.begin(), names.end());
}

}  // namespace slipway
