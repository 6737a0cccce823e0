#include <utility>

#include "common/base/error.h"
#include "convert/import/onnx/graph_import.h"
#include "convert/import/onnx/node_order.h"
#include "convert/import/onnx/tensor_load.h"

namespace slipway::onnx_import {
namespace {

constexpr int kMaxFunctionDepth = 64;

int64_t OpsetOf(const OpsetImports& opsets, std::string_view domain) {
  for (const auto& [name, version] : opsets) {
    if (name == domain) return version;
  }
  return 0;
}

}  // namespace

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

}  // namespace slipway::onnx_import
