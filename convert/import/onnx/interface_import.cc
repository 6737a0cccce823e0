#include <algorithm>
#include <set>

#include "common/base/error.h"
#include "convert/import/onnx/graph_import.h"
#include "convert/import/onnx/tensor_load.h"
#include "convert/ir/cast.h"

namespace slipway::onnx_import {

// A symbol that --shape binds at one input has that size everywhere.
absl::Status GraphImporter::CollectSizes(const GraphView& view) {
  for (const ValueInfoView& info : view.inputs) {
    const auto given = source_.interface.shapes.find(std::string(info.name));
    if (given == source_.interface.shapes.end() || !info.has_shape) continue;
    if (given->second.size() != info.shape.size()) {
      return InvalidArgument("--shape {} has {} sizes, but the input has {}", info.name, given->second.size(),
                             info.shape.size());
    }
    for (size_t i = 0; i < info.shape.size(); ++i) {
      const DimView& dim = info.shape[i];
      const int64_t size = given->second[i];
      if (size < 0) return InvalidArgument("--shape {}: {} is no size", info.name, size);
      if (dim.value && *dim.value > 0 && *dim.value != size) {
        return InvalidArgument("--shape {}: axis {} is fixed at {} in the model, {} was asked for", info.name, i,
                               *dim.value, size);
      }
      if (dim.value || dim.parameter.empty()) continue;
      const auto [bound, fresh] = symbol_sizes_.emplace(std::string(dim.parameter), size);
      if (!fresh && bound->second != size) {
        return InvalidArgument("--shape {}: the size '{}' would be both {} and {}", info.name, dim.parameter,
                               bound->second, size);
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Shape> GraphImporter::InputShape(const ValueInfoView& info) {
  const auto given = source_.interface.shapes.find(std::string(info.name));
  if (given != source_.interface.shapes.end()) return ToShape(given->second);
  Shape shape;
  for (size_t i = 0; i < info.shape.size(); ++i) {
    const DimView& dim = info.shape[i];
    if (dim.value) {
      if (*dim.value < -1 || *dim.value > (int64_t{1} << 40)) {
        return InvalidArgument("input '{}': axis {} has size {}, which is absurd; the model is damaged", info.name, i,
                               *dim.value);
      }
      shape.push_back(*dim.value == -1 ? Dim::Unknown() : Dim(*dim.value));
      continue;
    }
    // Exporters also write "?" and "-1" for a size that they do not know.
    const bool named = !dim.parameter.empty() && dim.parameter != "?" && dim.parameter != "-1";
    if (!named) {
      shape.push_back(Dim::Unknown());
      continue;
    }
    const auto bound = symbol_sizes_.find(std::string(dim.parameter));
    shape.push_back(bound != symbol_sizes_.end() ? Dim(bound->second) : Dim::Symbol(std::string(dim.parameter)));
  }
  return shape;
}

absl::Status GraphImporter::AddInput(const ValueInfoView& info, bool initialized, Scope& scope) {
  const bool top = scope.parent == nullptr;
  if (scope.values.contains(std::string(info.name)))
    return initialized ? absl::OkStatus() : InvalidArgument("the input '{}' is listed twice", info.name);
  if (info.name.empty()) return InvalidArgument("an input has no name");
  if (info.has_type && !info.is_tensor)
    return Unimplemented("input '{}' is a sequence, map or optional; only tensors can be inputs", info.name);
  const DataType type = ElementTypeOfCode(info.element_type);
  if (type == DataType::kUndefined && top)
    return Unimplemented("input '{}' is of {}, which no target has", info.name, OnnxTypeName(info.element_type));
  ASSIGN_OR_RETURN(Shape shape, InputShape(info));
  const bool ranked = info.has_shape || source_.interface.shapes.contains(std::string(info.name));
  Value* value = scope.graph->AddInput(std::string(info.name), type, std::move(shape));
  if (!ranked) value->shape = std::nullopt;
  if (top) value->origin.source = std::string(info.name);
  return Define(info.name, value, scope);
}

absl::Status GraphImporter::AddInputs(const GraphView& view, Scope& scope) {
  std::set<std::string_view> initialized;
  for (const TensorView& tensor : view.initializers) initialized.insert(tensor.name);
  for (const ValueInfoView& info : view.inputs) {
    const absl::Status status = AddInput(info, initialized.contains(info.name), scope);
    if (status.ok()) continue;
    RETURN_IF_ERROR(Refuse(status));
    AddPlaceholder(info.name, scope);
  }
  return absl::OkStatus();
}

absl::Status GraphImporter::AddOutput(const ValueInfoView& info, Graph& graph, std::set<std::string_view>& seen,
                                      const Scope& scope) {
  Value* value = scope.Find(info.name);
  if (value == nullptr)
    return InvalidArgument("the output '{}' is produced by nothing; the graph is incomplete", info.name);
  if (!seen.insert(info.name).second) return InvalidArgument("the output '{}' is listed twice", info.name);
  graph.AddOutput(value);
  // What is declared stands only where inference can say nothing (axes or shapes that are computed).
  if (value->producer != nullptr && !value->shape && info.has_shape) {
    if (absl::StatusOr<Shape> declared = InputShape(info); declared.ok()) value->shape = *std::move(declared);
  }
  return absl::OkStatus();
}

DeclaredTypes GraphImporter::Declared(const std::vector<std::string>& names) {
  DeclaredTypes declared;
  for (const ValueInfoView& info : model_.graph.values) {
    if (std::ranges::find(names, info.name) == names.end()) continue;
    DeclaredType& type = declared[std::string(info.name)];
    type.type = ElementTypeOfCode(info.element_type);
    absl::StatusOr<Shape> shape = info.has_shape ? InputShape(info) : absl::UnknownError("none");
    if (shape.ok()) type.shape = *std::move(shape);
  }
  return declared;
}

}  // namespace slipway::onnx_import
