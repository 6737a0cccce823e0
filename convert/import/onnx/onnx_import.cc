#include "convert/import/onnx/onnx_import.h"

#include <algorithm>
#include <set>

#include "common/base/error.h"
#include "convert/import/onnx/cut.h"
#include "convert/import/onnx/graph_import.h"
#include "convert/import/onnx/model_view.h"
#include "convert/ir/cast.h"
#include "convert/onnx_form/onnx_form.h"
#include "convert/passes/passes.h"

namespace slipway {
namespace {

using onnx_import::AttributeView;
using onnx_import::GraphView;
using onnx_import::NodeView;
using onnx_import::TensorView;
using onnx_import::ValueInfoView;

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

// Operands whose types every runtime insists on. What elementwise ops and Concat need, shape inference checks.
struct OperandTypes {
  OpKind kind;
  bool (*fits)(DataType a, DataType b);  // of the first and the second operand
  std::string_view wanted;
};

bool Same(DataType a, DataType b) { return a == b || b == DataType::kUndefined; }
bool FirstIsBool(DataType a, DataType) { return a == DataType::kBool; }
bool AllAreBool(DataType a, DataType b) {
  return a == DataType::kBool && (b == DataType::kBool || b == DataType::kUndefined);
}
bool SecondIsInteger(DataType, DataType b) { return IsInteger(b) || b == DataType::kUndefined; }

constexpr OperandTypes kOperandTypes[] = {
    {OpKind::kMatMul, Same, "two operands of one type"},
    {OpKind::kGemm, Same, "two operands of one type"},
    {OpKind::kConv, Same, "data and weights of one type"},
    {OpKind::kConvTranspose, Same, "data and weights of one type"},
    {OpKind::kWhere, FirstIsBool, "a condition of booleans"},
    {OpKind::kNot, FirstIsBool, "booleans"},
    {OpKind::kAnd, AllAreBool, "booleans"},
    {OpKind::kOr, AllAreBool, "booleans"},
    {OpKind::kXor, AllAreBool, "booleans"},
    {OpKind::kGather, SecondIsInteger, "indices of integers"},
    {OpKind::kGatherElements, SecondIsInteger, "indices of integers"},
    {OpKind::kGatherND, SecondIsInteger, "indices of integers"},
};

absl::Status CheckOperandTypes(const Graph& graph) {
  for (const auto& node : graph.nodes()) {
    const auto rule = std::ranges::find(kOperandTypes, node->kind, &OperandTypes::kind);
    if (rule == std::end(kOperandTypes) || node->input(0) == nullptr) continue;
    const DataType a = node->input(0)->type,
                   b = node->input(1) != nullptr ? node->input(1)->type : DataType::kUndefined;
    if (a == DataType::kUndefined || rule->fits(a, b)) continue;
    return InvalidArgument(
        "{}: its operands are of {}; it takes {}", Describe(*node),
        b == DataType::kUndefined ? std::string(Name(a)) : fmt::format("{} and {}", Name(a), Name(b)), rule->wanted);
  }
  return absl::OkStatus();
}

bool Contradict(const ValueInfoView& declared, const Shape& shape) {
  if (declared.shape.size() != shape.size()) return true;
  for (size_t i = 0; i < shape.size(); ++i) {
    const std::optional<int64_t>& size = declared.shape[i].value;
    if (size && *size >= 0 && shape[i].IsKnown() && shape[i].value() != *size) return true;
  }
  return false;
}

std::string ToString(const std::vector<onnx_import::DimView>& shape) {
  std::string text;
  for (const onnx_import::DimView& dim : shape) {
    text += text.empty() ? "" : ", ";
    text += dim.value ? fmt::format("{}", *dim.value) : dim.parameter.empty() ? "?" : std::string(dim.parameter);
  }
  return fmt::format("[{}]", text);
}

// What the file declares of its outputs against what the nodes make. Another type is an error to every runtime; a wrong shape (the input's sizes
// were changed by hand, say) is to none.
absl::Status CheckOutputs(const GraphView& view, Graph& graph, std::vector<std::string>* warnings) {
  if (!MakeInferShapes()->Run(graph).ok()) return absl::OkStatus();  // whoever uses the graph hears of it
  RETURN_IF_ERROR(CheckOperandTypes(graph));
  for (size_t i = 0; i < view.outputs.size(); ++i) {
    const ValueInfoView& declared = view.outputs[i];
    const Value* value = graph.outputs()[i];
    if (value->producer == nullptr) continue;
    const DataType type = ElementTypeOfCode(declared.element_type);
    if (type != DataType::kUndefined && value->type != DataType::kUndefined && type != value->type) {
      return InvalidArgument("{}: the file declares the output '{}' as {}, but the node makes {}",
                             Describe(*value->producer), declared.name, Name(type), Name(value->type));
    }
    if (warnings != nullptr && declared.has_shape && value->shape && Contradict(declared, *value->shape)) {
      warnings->push_back(fmt::format("{}: the file declares the output '{}' as {}, but the node makes {}",
                                      Describe(*value->producer), declared.name, ToString(declared.shape),
                                      ToString(*value->shape)));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<OnnxModel> Read(const Source& source, std::vector<ImportRefusal>* refused,
                               std::vector<std::string>* warnings) {
  if (source.main.file == nullptr) return InvalidArgument("no file");
  ASSIGN_OR_RETURN(onnx_import::ModelView view, onnx_import::ReadModelView(source.main.file->bytes()));
  if (const auto cut = onnx_import::PlanCut(view, source.interface))
    onnx_import::ApplyCut(*cut, source.interface, view);
  OnnxModel model;
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
  if (refused == nullptr && !source.interface.EditsGraph())
    RETURN_IF_ERROR(CheckOutputs(view.graph, *model.graph, warnings));
  model.declared = importer.Declared(source.interface.cut_inputs);
  return model;
}

}  // namespace

absl::StatusOr<OnnxModel> ImportOnnx(const Source& source, std::vector<ImportRefusal>* refused,
                                     std::vector<std::string>* warnings) {
  absl::StatusOr<OnnxModel> model = Read(source, refused, warnings);
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
