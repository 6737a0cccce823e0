#include "convert/import/onnx/graph_import.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <utility>

#include "common/base/error.h"
#include "convert/import/onnx/node_order.h"
#include "convert/import/onnx/tensor_load.h"
#include "convert/ir/cast.h"

namespace slipway::onnx_import {
namespace {

constexpr int64_t kMaxInlined = 100'000;  // nodes of functions: functions that call functions multiply without end
constexpr int kMaxFunctionDepth = 64;
constexpr int kMaxNamedDepth = 3;  // messages name so many calls around what is wrong

int64_t OpsetOf(const OpsetImports& opsets, std::string_view domain) {
  for (const auto& [name, version] : opsets) {
    if (name == domain) return version;
  }
  return 0;
}

}  // namespace

GraphImporter::GraphImporter(const ModelView& model, const Source& source, std::vector<ImportRefusal>* refused)
    : model_(model), source_(source), refused_(refused) {
  for (const FunctionView& function : model.functions)
    functions_.emplace(std::pair(function.domain, function.name), &function);
}

absl::Status GraphImporter::Refuse(const absl::Status& status, const NodeView* node) {
  // Functions without end are the model's as a whole.
  if (status.ok() || refused_ == nullptr || inlined_ > kMaxInlined) return status;
  refused_->push_back({node != nullptr ? OpName(*node) : "", status});
  return absl::OkStatus();
}

std::string GraphImporter::Fresh(std::string_view base) {
  std::string name(base);
  if (names_.insert(name).second) return name;
  int& suffix = suffixes_[name];
  do {
    name = fmt::format("{}_{}", base, ++suffix);
  } while (!names_.insert(name).second);
  return name;
}

Value* GraphImporter::Scope::Find(std::string_view name) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->parent) {
    const auto found = scope->values.find(std::string(name));
    if (found != scope->values.end()) return found->second;
  }
  return nullptr;
}

std::string GraphImporter::ValueName(std::string_view name, const Scope& scope) const {
  if (!scope.in_function) return std::string(name);
  const auto renamed = scope.renamed.find(name);
  return renamed != scope.renamed.end() ? renamed->second : scope.prefix + std::string(name);
}

absl::Status GraphImporter::Define(std::string_view name, Value* value, Scope& scope) {
  if (!scope.values.emplace(std::string(name), value).second) {
    return InvalidArgument("the name '{}' is given twice; every value of an ONNX graph has a name of its own", name);
  }
  return absl::OkStatus();
}

absl::Status GraphImporter::ReadNames(const GraphView& graph) {
  for (const ValueInfoView& input : graph.inputs) names_.emplace(input.name);
  for (const TensorView& tensor : graph.initializers) names_.emplace(tensor.name);
  for (const SparseTensorView& tensor : graph.sparse_initializers) names_.emplace(tensor.values.name);
  for (const NodeView& node : graph.nodes) {
    for (std::string_view output : node.outputs) names_.emplace(output);
    for (const AttributeView& attribute : node.attributes) {
      if (attribute.g != nullptr) RETURN_IF_ERROR(ReadNames(*attribute.g));
    }
  }
  return absl::OkStatus();
}

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

absl::StatusOr<Tensor> GraphImporter::Load(const TensorView& view) {
  absl::StatusOr<Tensor> loaded = LoadTensor(view, source_);
  if (loaded.ok() || refused_ == nullptr || !view.external) return loaded;
  const auto location = view.external_data.find("location");
  if (location == view.external_data.end() || source_.external.contains(std::string(location->second))) return loaded;
  absl::StatusOr<Tensor> blank = BlankTensor(view);
  if (!blank.ok()) return loaded;
  if (missing_.emplace(location->second).second) RETURN_IF_ERROR(Refuse(loaded.status()));
  return blank;
}

absl::Status GraphImporter::AddInitializers(const GraphView& view, Scope& scope) {
  const auto add = [&](std::string_view name, absl::StatusOr<Tensor> loaded) -> absl::Status {
    const absl::Status status =
        loaded.ok() ? Define(name, scope.graph->AddConstant(ValueName(name, scope), *std::move(loaded)), scope)
                    : loaded.status();
    if (status.ok()) return status;
    RETURN_IF_ERROR(Refuse(status));
    AddPlaceholder(name, scope);
    return absl::OkStatus();
  };
  for (const TensorView& tensor : view.initializers) RETURN_IF_ERROR(add(tensor.name, Load(tensor)));
  for (const SparseTensorView& tensor : view.sparse_initializers)
    RETURN_IF_ERROR(add(tensor.values.name, LoadSparseTensor(tensor, source_)));
  return absl::OkStatus();
}

absl::Status GraphImporter::AddNodes(const std::vector<NodeView>& nodes, Scope& scope) {
  std::vector<size_t> cyclic;
  ASSIGN_OR_RETURN(const std::vector<size_t> order, NodeOrder(nodes, refused_ != nullptr ? &cyclic : nullptr));
  if (order.size() < nodes.size()) {
    for (size_t i : cyclic) RETURN_IF_ERROR(Refuse(OnCycle(nodes[i]), &nodes[i]));
    const std::set<size_t> ordered(order.begin(), order.end());
    for (size_t i = 0; i < nodes.size(); ++i) {
      if (!ordered.contains(i)) AddPlaceholders(nodes[i], scope);
    }
  }
  for (size_t i : order) {
    const size_t before = refused_ != nullptr ? refused_->size() : 0;
    const absl::Status status = AddNode(nodes[i], scope);
    // What is inside of the node: in its function or its graphs.
    for (size_t k = before; refused_ != nullptr && scope.depth < kMaxNamedDepth && k < refused_->size(); ++k)
      (*refused_)[k].status = Annotate((*refused_)[k].status, Describe(nodes[i]));
    if (nodes[i].is_cut_off && refused_ != nullptr) refused_->resize(before);
    if (status.ok()) continue;
    if (!nodes[i].is_cut_off) RETURN_IF_ERROR(Refuse(status, &nodes[i]));
    AddPlaceholders(nodes[i], scope);
  }
  return absl::OkStatus();
}

void GraphImporter::AddPlaceholder(std::string_view name, Scope& scope) {
  if (name.empty() || scope.values.contains(std::string(name))) return;
  Graph* top = scope.graph;
  while (top->parent != nullptr) top = top->parent;
  Value* value = top->AddInput(ValueName(name, scope), DataType::kUndefined, {});
  value->shape = std::nullopt;
  scope.values.emplace(std::string(name), value);
}

void GraphImporter::AddPlaceholders(const NodeView& node, Scope& scope) {
  for (const std::string_view output : node.outputs) AddPlaceholder(output, scope);
  if (refused_ == nullptr || scope.graph->parent != nullptr || node.is_cut_off) return;
  for (const std::string_view input : node.inputs) {
    if (Value* value = input.empty() ? nullptr : scope.Find(input); value != nullptr) read_by_refused_.push_back(value);
  }
}

const FunctionView* GraphImporter::FindFunction(const NodeView& node) const {
  const auto found = functions_.find(std::pair(node.domain, node.op_type));
  return found != functions_.end() ? found->second : nullptr;
}

absl::StatusOr<std::shared_ptr<Graph>> GraphImporter::Subgraph(const GraphView& view, Scope& scope) {
  auto graph = std::make_shared<Graph>();
  graph->name = std::string(view.name);
  graph->parent = scope.graph;
  Scope inner;
  inner.parent = &scope;
  inner.graph = graph.get();
  inner.opsets = scope.opsets;
  inner.prefix = scope.prefix;
  inner.bindings = scope.bindings;
  inner.in_function = scope.in_function;
  inner.depth = scope.depth;
  RETURN_IF_ERROR(AddInitializers(view, inner));
  RETURN_IF_ERROR(AddInputs(view, inner));
  RETURN_IF_ERROR(AddNodes(view.nodes, inner));
  for (const ValueInfoView& output : view.outputs) {
    Value* value = inner.Find(output.name);
    if (value == nullptr) return InvalidArgument("the inner graph's output '{}' is produced by nothing", output.name);
    // A value from outside becomes this graph's own.
    if (!inner.values.contains(std::string(output.name))) {
      value = graph->AddNode(OpKind::kIdentity, {value}, {Fresh(std::string(output.name) + "_inner")})->outputs[0];
    }
    graph->AddOutput(value);
  }
  return graph;
}

absl::StatusOr<AttributeValue> GraphImporter::ReadAttribute(const AttributeView& attribute, Scope& scope) {
  if (attribute.t != nullptr) {
    ASSIGN_OR_RETURN(Tensor tensor, Load(*attribute.t));
    return AttributeValue(std::move(tensor));
  }
  if (attribute.sparse != nullptr) {
    ASSIGN_OR_RETURN(Tensor tensor, LoadSparseTensor(*attribute.sparse, source_));
    return AttributeValue(std::move(tensor));
  }
  if (attribute.g != nullptr) {
    ASSIGN_OR_RETURN(std::shared_ptr<Graph> graph, Subgraph(*attribute.g, scope));
    return AttributeValue(std::move(graph));
  }
  using P = onnx_import::AttributeView;
  const auto strings = [](const P& a) { return std::vector<std::string>(a.strings.begin(), a.strings.end()); };
  // AttributeProto.AttributeType; a value that proto3 left out is zero.
  switch (attribute.type) {
    case 1:
      return AttributeValue(attribute.f.value_or(0));
    case 2:
      return AttributeValue(attribute.i.value_or(0));
    case 3:
      return AttributeValue(std::string(attribute.s.value_or("")));
    case 6:
      return AttributeValue(attribute.floats);
    case 7:
      return AttributeValue(attribute.ints);
    case 8:
      return AttributeValue(strings(attribute));
    case 0:
      break;  // files older than the type field
    default:
      return Unimplemented("its attribute '{}' is of a kind ({}) that no supported op has", attribute.name,
                           attribute.type);
  }
  if (attribute.i) return AttributeValue(*attribute.i);
  if (attribute.f) return AttributeValue(*attribute.f);
  if (attribute.s) return AttributeValue(std::string(*attribute.s));
  if (!attribute.ints.empty()) return AttributeValue(attribute.ints);
  if (!attribute.floats.empty()) return AttributeValue(attribute.floats);
  return AttributeValue(strings(attribute));
}

absl::StatusOr<Attributes> GraphImporter::ReadAttributes(const NodeView& node, Scope& scope) {
  Attributes attributes;
  for (const AttributeView& attribute : node.attributes) {
    const AttributeView* meant = &attribute;
    if (!attribute.reference.empty()) {
      const auto bound = scope.bindings.find(attribute.reference);
      if (bound == scope.bindings.end() || bound->second == nullptr) continue;  // not given: the op's own default
      meant = bound->second;
    }
    ASSIGN_OR_RETURN(AttributeValue value, ReadAttribute(*meant, scope));
    attributes.Set(attribute.name, std::move(value));
  }
  return attributes;
}

absl::Status GraphImporter::AddConstantNode(const NodeView& node, Scope& scope) {
  if (node.outputs.size() != 1 || node.outputs[0].empty()) return InvalidArgument("it has no output");
  ASSIGN_OR_RETURN(Attributes attributes, ReadAttributes(node, scope));
  Tensor tensor;
  if (attributes.Has("value") || attributes.Has("sparse_value")) {
    const Tensor* given = attributes.TensorOf(attributes.Has("value") ? "value" : "sparse_value");
    if (given == nullptr) return InvalidArgument("its value is no tensor");
    tensor = *given;
  } else if (attributes.Has("value_float")) {
    tensor = Tensor::Scalar(attributes.Float("value_float", 0));
  } else if (attributes.Has("value_floats")) {
    tensor = Tensor::Float32s(attributes.Floats("value_floats"));
  } else if (attributes.Has("value_int")) {
    tensor = Tensor::From<int64_t>({}, {attributes.Int("value_int", 0)});
  } else if (attributes.Has("value_ints")) {
    tensor = Tensor::Int64s(attributes.Ints("value_ints"));
  } else if (attributes.Has("value_string")) {
    tensor = Tensor::Strings({}, {attributes.String("value_string", "")});
  } else if (attributes.Has("value_strings")) {
    const auto* strings = std::get_if<std::vector<std::string>>(&attributes.all().find("value_strings")->second);
    if (strings == nullptr) return InvalidArgument("its value_strings are no strings");
    tensor = Tensor::Strings({static_cast<int64_t>(strings->size())}, *strings);
  } else {
    return InvalidArgument("it has no value");
  }
  Value* value = scope.graph->AddConstant(ValueName(node.outputs[0], scope), std::move(tensor));
  return Define(node.outputs[0], value, scope);
}

absl::Status GraphImporter::InlineFunction(const FunctionView& function, const NodeView& node, Scope& scope) {
  if (scope.depth >= kMaxFunctionDepth)
    return InvalidArgument("functions call each other more than {} deep", kMaxFunctionDepth);
  if (node.inputs.size() > function.inputs.size() || node.outputs.size() > function.outputs.size()) {
    return InvalidArgument("it has {} inputs and {} outputs, the function takes {} and gives {}", node.inputs.size(),
                           node.outputs.size(), function.inputs.size(), function.outputs.size());
  }
  Scope inner;
  inner.graph = scope.graph;
  inner.opsets = function.opsets;
  inner.in_function = true;
  inner.depth = scope.depth + 1;
  const std::string label(!node.name.empty() ? node.name : node.outputs.empty() ? node.op_type : node.outputs[0]);
  inner.prefix = Fresh(scope.prefix + label) + "/";
  // Attributes may themselves be references to the caller's.
  std::map<std::string_view, const AttributeView*> given;
  for (const AttributeView& attribute : node.attributes) {
    const AttributeView* meant = &attribute;
    if (!attribute.reference.empty()) {
      const auto bound = scope.bindings.find(attribute.reference);
      meant = bound == scope.bindings.end() ? nullptr : bound->second;
    }
    given[attribute.name] = meant;
  }
  for (const AttributeView& fallback : function.attribute_defaults) inner.bindings[fallback.name] = &fallback;
  for (const auto& [name, attribute] : given) {
    if (attribute != nullptr) inner.bindings[name] = attribute;
  }
  for (size_t i = 0; i < function.inputs.size(); ++i) {
    Value* value = nullptr;
    if (i < node.inputs.size() && !node.inputs[i].empty()) {
      value = scope.Find(node.inputs[i]);
      if (value == nullptr) return InvalidArgument("it reads '{}', which nothing before it produces", node.inputs[i]);
    }
    RETURN_IF_ERROR(Define(function.inputs[i], value, inner));
  }
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (!node.outputs[i].empty()) inner.renamed[std::string(function.outputs[i])] = ValueName(node.outputs[i], scope);
  }
  RETURN_IF_ERROR(AddNodes(function.nodes, inner));
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i].empty()) continue;
    Value* value = inner.Find(function.outputs[i]);
    if (value == nullptr) return InvalidArgument("its function produces no '{}'", function.outputs[i]);
    RETURN_IF_ERROR(Define(node.outputs[i], value, scope));
  }
  return absl::OkStatus();
}

absl::Status GraphImporter::AddNode(const NodeView& node, Scope& scope) {
  const auto annotated = [&](const absl::Status& status) { return Annotate(status, Describe(node)); };
  if (scope.in_function && ++inlined_ > kMaxInlined)
    return annotated(InvalidArgument("the model's functions expand to more than {} nodes", kMaxInlined));
  const int64_t opset = OpsetOf(scope.opsets, node.domain);
  if (node.domain.empty() && node.op_type == "Constant") {
    const absl::Status status = AddConstantNode(node, scope);
    return status.ok() ? status : annotated(status);
  }
  if (const FunctionView* function = FindFunction(node); function != nullptr) {
    const absl::Status status = InlineFunction(*function, node, scope);
    return status.ok() || scope.depth >= kMaxNamedDepth ? status : annotated(status);
  }
  const OpImport* import = FindOpImport(node.domain, node.op_type);
  if (import == nullptr) {
    return annotated(
        Unimplemented("{}; {}", node.domain.empty() ? "this op is not supported" : "an op of an unknown domain",
                      node.domain.empty() ? "export the model so that it is expressed by other ops, or cut it off"
                                          : "export the model with standard ONNX ops only"));
  }
  const OpInfo& info = Info(import->kind);
  const int min_inputs = import->min_inputs == -2 ? info.min_inputs : import->min_inputs;
  const int max_inputs = import->max_inputs == -2 ? info.max_inputs : import->max_inputs;

  OpContext op(*scope.graph, *this, import->kind, opset);
  for (std::string_view input : node.inputs) {
    Value* value = nullptr;
    if (!input.empty()) {
      value = scope.Find(input);
      const bool optional_parameter =
          value == nullptr && scope.in_function && scope.values.contains(std::string(input));
      if (value == nullptr && !optional_parameter) {
        return annotated(
            InvalidArgument("it reads '{}', which nothing before it produces; the graph is incomplete", input));
      }
    }
    op.inputs.push_back(value);
  }
  while (!op.inputs.empty() && op.inputs.back() == nullptr) op.inputs.pop_back();
  const auto count = static_cast<int>(op.inputs.size());
  if (count < min_inputs || (max_inputs >= 0 && count > max_inputs)) {
    return annotated(InvalidArgument("it has {} inputs, but the op takes {}", count,
                                     min_inputs == max_inputs ? fmt::format("{}", min_inputs)
                                     : max_inputs < 0         ? fmt::format("at least {}", min_inputs)
                                                              : fmt::format("{} to {}", min_inputs, max_inputs)));
  }
  for (int i = 0; i < min_inputs; ++i) {
    if (op.inputs[i] == nullptr && import->kind != OpKind::kLoop && import->kind != OpKind::kScan) {
      return annotated(InvalidArgument("its input {} is left out, but the op needs it", i));
    }
  }
  for (std::string_view output : node.outputs) {
    if (!output.empty() && scope.values.contains(std::string(output))) {
      return annotated(InvalidArgument("its output '{}' is already the name of another value", output));
    }
    op.output_names.push_back(output.empty() ? std::string() : ValueName(output, scope));
  }
  while (!op.output_names.empty() && op.output_names.back().empty()) op.output_names.pop_back();
  if (op.output_names.empty()) return absl::OkStatus();  // nobody can read it
  ASSIGN_OR_RETURN(op.attributes, [&]() -> absl::StatusOr<Attributes> {
    auto attributes = ReadAttributes(node, scope);
    if (!attributes.ok()) return annotated(attributes.status());
    return attributes;
  }());
  Node* last = scope.graph->nodes().empty() ? nullptr : scope.graph->nodes().back().get();
  if (import->import == nullptr) {
    op.Emit();
  } else if (absl::Status status = import->import(op); !status.ok()) {
    return annotated(status);
  }
  if (static_cast<int>(op.results.size()) > info.outputs && info.outputs >= 0 && import->import == nullptr) {
    return annotated(
        InvalidArgument("it has {} outputs, but the op gives at most {}", op.results.size(), info.outputs));
  }
  for (auto it = scope.graph->nodes().rbegin(); it != scope.graph->nodes().rend() && it->get() != last; ++it) {
    (*it)->name = scope.prefix + std::string(node.name);
  }
  for (size_t i = 0; i < node.outputs.size() && i < op.results.size(); ++i) {
    if (node.outputs[i].empty() || op.results[i] == nullptr) continue;
    if (scope.parent == nullptr) op.results[i]->origin.source = op.results[i]->name;
    if (const absl::Status status = Define(node.outputs[i], op.results[i], scope); !status.ok())
      return annotated(status);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Graph>> GraphImporter::Import() {
  const GraphView& view = model_.graph;
  RETURN_IF_ERROR(ReadNames(view));
  auto graph = std::make_unique<Graph>();
  graph->name = std::string(view.name);
  Scope scope;
  scope.graph = graph.get();
  scope.opsets = model_.opsets;
  RETURN_IF_ERROR(CollectSizes(view));
  RETURN_IF_ERROR(AddInitializers(view, scope));
  RETURN_IF_ERROR(AddInputs(view, scope));
  RETURN_IF_ERROR(AddNodes(view.nodes, scope));
  if (view.outputs.empty()) RETURN_IF_ERROR(Refuse(InvalidArgument("the graph has no outputs")));
  std::set<std::string_view> seen;
  for (const ValueInfoView& output : view.outputs) {
    const absl::Status status = AddOutput(output, *graph, seen, scope);
    if (!status.ok()) RETURN_IF_ERROR(Refuse(status));
  }
  for (Value* value : read_by_refused_) {
    if (value->producer != nullptr && !graph->IsOutput(value)) graph->AddOutput(value);
  }
  return graph;
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
