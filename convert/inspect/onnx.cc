// ONNX: read from the file itself, so that models which cannot be converted are shown too. Shapes that the file does not
// say are inferred where it can be imported.
#include <set>

#include "absl/container/flat_hash_map.h"
#include "common/base/error.h"
#include "convert/import/onnx/model_view.h"
#include "convert/import/onnx/onnx_import.h"
#include "convert/import/onnx/tensor_load.h"
#include "convert/inspect/formats.h"
#include "convert/inspect/gaps.h"
#include "convert/inspect/local_source.h"
#include "convert/ir/types.h"

namespace slipway::inspect {
namespace {

using namespace onnx_import;  // NOLINT: the views

// Bits of an element that the IR has no type for.
constexpr std::pair<std::string_view, int64_t> kOtherBits[] = {
    {"complex64", 64}, {"complex128", 128},   {"float8e4m3fn", 8}, {"float8e4m3fnuz", 8},
    {"float8e5m2", 8}, {"float8e5m2fnuz", 8}, {"uint4", 4},        {"int4", 4},
    {"float4e2m1", 4}, {"float8e8m0", 8},     {"uint2", 2},        {"int2", 2}};

int64_t BitsOf(std::string_view type) {
  for (const auto& [name, bits] : kOtherBits) {
    if (name == type) return bits;
  }
  return static_cast<int64_t>(SizeOf(DataTypeFromName(type))) * 8;
}

class OnnxInspector {
 public:
  OnnxInspector(const ModelView& view, const Source& source, ModelSummary& summary)
      : view_(view), source_(source), summary_(summary) {}

  absl::Status Read() {
    InferValues();
    DeclareValues(view_.graph);
    std::set<std::string_view> initialized;
    for (const TensorView& tensor : view_.graph.initializers) initialized.insert(tensor.name);
    for (const ValueInfoView& input : view_.graph.inputs) {
      if (!initialized.contains(input.name)) summary_.inputs.push_back(Describe(input));
    }
    for (const ValueInfoView& output : view_.graph.outputs) {
      const TensorSummary inferred = Named(output.name);
      TensorSummary described = Describe(output);
      if (!described.shape) described.shape = inferred.shape;
      if (described.type.empty()) described.type = inferred.type;
      summary_.outputs.push_back(std::move(described));
    }
    RETURN_IF_ERROR(ReadGraph(view_.graph, ""));
    for (const FunctionView& function : view_.functions) {
      RETURN_IF_ERROR(ReadNodes(function.nodes, fmt::format("function {}.{}", function.domain, function.name)));
    }
    return absl::OkStatus();
  }

 private:
  static TensorSummary Describe(const ValueInfoView& info) {
    TensorSummary tensor{.name = std::string(info.name)};
    if (info.is_tensor && info.element_type != 0) tensor.type = OnnxTypeName(info.element_type);
    if (!info.has_shape) return tensor;
    tensor.shape.emplace();
    for (const DimView& dim : info.shape) {
      if (dim.value && *dim.value >= 0) {
        tensor.shape->push_back(std::to_string(*dim.value));
      } else {
        tensor.shape->push_back(dim.parameter.empty() ? "?" : std::string(dim.parameter));
      }
    }
    return tensor;
  }

  // What the importer finds out, where it can read the model at all.
  void InferValues() {
    std::vector<ImportRefusal> refused;  // shown by --for
    const absl::StatusOr<Model> model = ImportOnnx(source_, &refused);
    if (!model.ok()) return;
    InferAround(*model->graph, [](const absl::Status&) {});
    for (const Value* value : model->graph->values()) {
      TensorSummary tensor{.name = value->name};
      if (value->type != DataType::kUndefined) tensor.type = Name(value->type);
      if (value->shape) {
        tensor.shape.emplace();
        for (const Dim& dim : *value->shape) {
          const std::string text = dim.ToString();
          tensor.shape->push_back(text.find('?') == std::string::npos ? text : "?");
        }
      }
      values_.insert_or_assign(value->name, std::move(tensor));
    }
  }

  void DeclareValues(const GraphView& graph) {
    for (const auto* infos : {&graph.values, &graph.outputs}) {
      for (const ValueInfoView& info : *infos) {
        TensorSummary tensor = Describe(info);
        if (!tensor.shape && values_.contains(tensor.name)) tensor.shape = values_[tensor.name].shape;
        values_.insert_or_assign(tensor.name, std::move(tensor));
      }
    }
  }

  TensorSummary Named(std::string_view name) const {
    const auto found = values_.find(std::string(name));
    return found != values_.end() ? found->second : TensorSummary{.name = std::string(name)};
  }

  absl::Status Count(const TensorView& tensor) {
    const std::string type = OnnxTypeName(tensor.data_type);
    ASSIGN_OR_RETURN(const int64_t elements, Elements(tensor.name, tensor.dims));
    AddWeight(summary_, type, elements, BitsOf(type));
    if (const auto location = tensor.external_data.find("location");
        tensor.external && location != tensor.external_data.end() && external_.emplace(location->second).second &&
        !source_.external.contains(std::string(location->second))) {
      summary_.remarks.push_back(fmt::format("external data '{}' is missing", location->second));
    }
    return absl::OkStatus();
  }

  absl::Status ReadGraph(const GraphView& graph, const std::string& inside) {
    for (const TensorView& tensor : graph.initializers) RETURN_IF_ERROR(Count(tensor));
    for (const SparseTensorView& tensor : graph.sparse_initializers) {
      RETURN_IF_ERROR(Count(tensor.values));
      RETURN_IF_ERROR(Count(tensor.indices));
    }
    return ReadNodes(graph.nodes, inside);
  }

  absl::Status ReadNodes(const std::vector<NodeView>& nodes, const std::string& inside) {
    for (const NodeView& node : nodes) {
      NodeSummary row{.op = std::string(node.op_type), .name = std::string(node.name), .inside = inside};
      if (!node.domain.empty()) row.op = std::string(node.domain) + "::" + row.op;
      row.inputs.assign(node.inputs.begin(), node.inputs.end());
      for (const std::string_view output : node.outputs) row.outputs.push_back(Named(output));
      const std::string label = row.name.empty() ? row.op : row.name;
      summary_.nodes.push_back(std::move(row));
      for (const AttributeView& attribute : node.attributes) {
        if (attribute.t != nullptr) RETURN_IF_ERROR(Count(*attribute.t));
        if (attribute.g == nullptr) continue;
        DeclareValues(*attribute.g);
        RETURN_IF_ERROR(
            ReadGraph(*attribute.g, fmt::format("{}{}.{}", inside.empty() ? "" : inside + "/", label, attribute.name)));
      }
    }
    return absl::OkStatus();
  }

  const ModelView& view_;
  const Source& source_;
  ModelSummary& summary_;
  absl::flat_hash_map<std::string, TensorSummary> values_;
  std::set<std::string_view> external_;
};

}  // namespace

absl::StatusOr<ModelSummary> InspectOnnx(const std::filesystem::path& path, const File& file) {
  ASSIGN_OR_RETURN(const ModelView view, ReadModelView(file->bytes()));
  ASSIGN_OR_RETURN(const Source source, LocalOnnxSource(path));
  ModelSummary summary{.format = "onnx"};
  summary.facts.emplace_back("ir version", std::to_string(view.ir_version));
  for (const auto& [domain, version] : view.opsets) {
    summary.facts.emplace_back(domain.empty() ? "opset" : fmt::format("opset of {}", domain), std::to_string(version));
  }
  summary.producer = std::string(view.producer_name);
  if (!view.producer_version.empty()) summary.producer += " " + std::string(view.producer_version);
  summary.files.push_back({path.string(), file->bytes().size()});
  for (const auto& [name, external] : source.external)
    summary.files.push_back({external.path, external.file->bytes().size()});
  OnnxInspector inspector(view, source, summary);
  RETURN_IF_ERROR(inspector.Read());
  return summary;
}

}  // namespace slipway::inspect
