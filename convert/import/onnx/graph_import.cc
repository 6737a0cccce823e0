#include "convert/import/onnx/graph_import.h"

#include <algorithm>
#include <utility>

#include "common/base/error.h"
#include "convert/import/onnx/node_order.h"
#include "convert/import/onnx/tensor_load.h"

namespace slipway::onnx_import {

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

}  // namespace slipway::onnx_import
