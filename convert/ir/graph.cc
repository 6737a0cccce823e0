#include "convert/ir/graph.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "common/base/error.h"

namespace slipway {
namespace {

template <typename T>
const T* Get(const std::map<std::string, AttributeValue, std::less<>>& values, std::string_view name) {
  auto found = values.find(name);
  return found == values.end() ? nullptr : std::get_if<T>(&found->second);
}

// Calls visit(graph) for the sub-graphs a node holds.
template <typename Visit>
void ForEachSubgraph(const Node& node, Visit visit) {
  for (const auto& [name, value] : node.attributes.all()) {
    if (const auto* graph = std::get_if<std::shared_ptr<Graph>>(&value)) visit(**graph);
  }
}

// A list whose members know their place in it: a removed one is taken out at once.
template <typename T>
void Remember(std::vector<T*>& list, T& member) {
  if (member.unread_slot >= 0) return;
  member.unread_slot = static_cast<int>(list.size());
  list.push_back(&member);
}

template <typename T>
void Forget(std::vector<T*>& list, T& member) {
  if (member.unread_slot < 0) return;
  list[static_cast<size_t>(member.unread_slot)] = list.back();
  list.back()->unread_slot = member.unread_slot;
  list.pop_back();
  member.unread_slot = -1;
}

// Every outer value that a sub-graph's nodes or outputs read.
void CollectCaptures(const Graph& inner, const Graph& outer, std::vector<Value*>& captured) {
  auto is_outer = [&](Value* value) { return value != nullptr && outer.Find(value->name) == value; };
  for (const auto& node : inner.nodes()) {
    for (Value* input : node->inputs) {
      if (is_outer(input)) captured.push_back(input);
    }
    ForEachSubgraph(*node, [&](const Graph& nested) { CollectCaptures(nested, outer, captured); });
  }
  for (Value* output : inner.outputs()) {
    if (is_outer(output)) captured.push_back(output);
  }
}

void ReplaceSubgraphOutputs(Graph& graph, Value* from, Value* to) {
  for (const auto& node : graph.nodes()) {
    ForEachSubgraph(*node, [&](Graph& inner) {
      for (size_t i = 0; i < inner.outputs().size(); ++i) {
        if (inner.outputs()[i] == from) inner.ReplaceOutput(i, to);
      }
      ReplaceSubgraphOutputs(inner, from, to);
    });
  }
}

bool IsSubgraphOutput(const Graph& graph, const Value* value) {
  for (const auto& node : graph.nodes()) {
    bool found = false;
    ForEachSubgraph(*node,
                    [&](const Graph& inner) { found |= inner.IsOutput(value) || IsSubgraphOutput(inner, value); });
    if (found) return true;
  }
  return false;
}

}  // namespace

int64_t Attributes::Int(std::string_view name, int64_t fallback) const {
  const auto* value = Get<int64_t>(values_, name);
  return value != nullptr ? *value : fallback;
}

float Attributes::Float(std::string_view name, float fallback) const {
  const auto* value = Get<float>(values_, name);
  return value != nullptr ? *value : fallback;
}

std::string Attributes::String(std::string_view name, std::string_view fallback) const {
  const auto* value = Get<std::string>(values_, name);
  return value != nullptr ? *value : std::string(fallback);
}

std::vector<int64_t> Attributes::Ints(std::string_view name, std::vector<int64_t> fallback) const {
  const auto* value = Get<std::vector<int64_t>>(values_, name);
  return value != nullptr ? *value : std::move(fallback);
}

std::vector<float> Attributes::Floats(std::string_view name, std::vector<float> fallback) const {
  const auto* value = Get<std::vector<float>>(values_, name);
  return value != nullptr ? *value : std::move(fallback);
}

const Tensor* Attributes::TensorOf(std::string_view name) const { return Get<Tensor>(values_, name); }

Graph* Attributes::Subgraph(std::string_view name) const {
  const auto* value = Get<std::shared_ptr<Graph>>(values_, name);
  return value != nullptr ? value->get() : nullptr;
}

void Attributes::Erase(std::string_view name) {
  auto found = values_.find(name);
  if (found != values_.end()) values_.erase(found);
}

std::string Describe(const Node& node) {
  std::string text(Name(node.kind));
  if (!node.name.empty()) text += fmt::format(" '{}'", node.name);
  for (const Value* output : node.outputs) {
    if (output != nullptr) return text + fmt::format(" (output '{}')", output->name);
  }
  return text;
}

Graph::~Graph() = default;

// `name`, or with a suffix if it is taken.
std::string Graph::FreeName(std::string name) {
  if (Find(name) == nullptr) return name;
  std::string free;
  do {
    free = fmt::format("{}_{}", name, ++next_suffix_);
  } while (Find(free) != nullptr);
  return free;
}

Value* Graph::NewValue(std::string name) {
  auto value = std::make_unique<Value>();
  Value* pointer = value.get();
  pointer->name = FreeName(name.empty() ? "value" : std::move(name));
  pointer->graph = this;
  pointer->position = values_.insert(values_.end(), std::move(value));
  by_name_[pointer->name] = pointer;
  return pointer;
}

void Graph::RemoveValue(Value* value) {
  Changing();
  by_name_.erase(value->name);
  Forget(unread_constants_, *value);
  if (keepers_ == 0) {
    values_.erase(value->position);
    return;
  }
  value->graph = nullptr;
  value->constant.reset();
  removed_values_.splice(removed_values_.end(), values_, value->position);
}

Graph::KeepRemoved::~KeepRemoved() {
  if (--graph_.keepers_ > 0) return;
  graph_.removed_nodes_.clear();
  graph_.removed_values_.clear();
}

void Graph::Changing() {
  if (before_change_) std::exchange(before_change_, nullptr)();
}

void Graph::MayBeUnread(Node& node) {
  if (node.graph != nullptr) Remember(node.graph->unread_nodes_, node);
}

void Graph::MayBeUnread(Value& value) {
  if (value.graph == nullptr || !value.uses.empty()) return;
  if (value.producer != nullptr) return MayBeUnread(*value.producer);
  if (value.IsConstant()) Remember(value.graph->unread_constants_, value);
}

// Takes the node off the readers of its inputs, and with it what it encloses: its sub-graphs read values around them.
void Graph::DropUses(Node& node) {
  for (size_t i = node.inputs.size(); i-- > 0;) {
    Value* input = node.inputs[i];
    if (input == nullptr) continue;
    auto use = std::find(input->uses.begin(), input->uses.end(), Use{&node, static_cast<int>(i)});
    if (use != input->uses.end()) input->uses.erase(use);
    MayBeUnread(*input);
  }
  for (const auto& [name, value] : node.attributes.all()) {
    const auto* graph = std::get_if<std::shared_ptr<Graph>>(&value);
    if (graph == nullptr || graph->use_count() > 1) continue;
    for (const auto& inner : (*graph)->nodes()) DropUses(*inner);
  }
}

Value* Graph::Find(std::string_view value_name) const {
  for (const Graph* graph = this; graph != nullptr; graph = graph->parent) {
    auto found = graph->by_name_.find(absl::string_view(value_name.data(), value_name.size()));
    if (found != graph->by_name_.end()) return found->second;
  }
  return nullptr;
}

Value* Graph::AddInput(std::string name, DataType type, Shape shape) {
  Value* value = NewValue(std::move(name));
  value->type = type;
  value->shape = std::move(shape);
  inputs_.push_back(value);
  return value;
}

Value* Graph::AddConstant(std::string name, Tensor tensor) {
  Value* value = NewValue(std::move(name));
  value->type = tensor.type();
  value->shape = ToShape(tensor.shape());
  value->constant = std::move(tensor);
  MayBeUnread(*value);
  return value;
}

Node* Graph::AddNode(OpKind kind, std::vector<Value*> inputs, std::vector<std::string> output_names,
                     Attributes attributes, Node* before) {
  Changing();
  auto owned = std::make_unique<Node>();
  Node* node = owned.get();
  node->kind = kind;
  has_control_flow_ |= kind == OpKind::kIf || kind == OpKind::kLoop || kind == OpKind::kScan;
  node->inputs = std::move(inputs);
  node->attributes = std::move(attributes);
  node->graph = this;
  node->position = nodes_.insert(before != nullptr ? before->position : nodes_.end(), std::move(owned));
  for (size_t i = 0; i < node->inputs.size(); ++i) {
    if (node->inputs[i] != nullptr) node->inputs[i]->uses.push_back({node, static_cast<int>(i)});
  }
  for (size_t i = 0; i < output_names.size(); ++i) {
    Value* value = NewValue(std::move(output_names[i]));
    value->producer = node;
    value->output_index = static_cast<int>(i);
    node->outputs.push_back(value);
  }
  MayBeUnread(*node);
  return node;
}

void Graph::SetInput(Node* node, size_t index, Value* value) {
  Changing();
  if (index >= node->inputs.size()) node->inputs.resize(index + 1, nullptr);
  if (Value* old = node->inputs[index]; old != nullptr) {
    auto use = std::find(old->uses.begin(), old->uses.end(), Use{node, static_cast<int>(index)});
    if (use != old->uses.end()) old->uses.erase(use);
    MayBeUnread(*old);
  }
  node->inputs[index] = value;
  if (value != nullptr) value->uses.push_back({node, static_cast<int>(index)});
  while (!node->inputs.empty() && node->inputs.back() == nullptr) node->inputs.pop_back();
}

void Graph::ReplaceUses(Value* from, Value* to) {
  if (from == to) return;
  Changing();
  for (const Use& use : from->uses) {
    use.node->inputs[static_cast<size_t>(use.input)] = to;
    to->uses.push_back(use);
  }
  from->uses.clear();
  MayBeUnread(*from);
  std::replace(outputs_.begin(), outputs_.end(), from, to);
  if (has_control_flow_) ReplaceSubgraphOutputs(*this, from, to);
}

void Graph::MakeConstant(Value* value, Tensor tensor) {
  Changing();
  if (value->producer != nullptr) {
    MayBeUnread(*value->producer);
    value->producer->outputs[static_cast<size_t>(value->output_index)] = nullptr;
    value->producer = nullptr;
  } else {
    inputs_.erase(std::remove(inputs_.begin(), inputs_.end(), value), inputs_.end());
  }
  value->type = tensor.type();
  value->shape = ToShape(tensor.shape());
  value->constant = std::move(tensor);
  MayBeUnread(*value);
}

void Graph::RemoveNode(Node* node) {
  Changing();
  DropUses(*node);
  for (Value* output : node->outputs) {
    if (output != nullptr) RemoveValue(output);
  }
  Forget(unread_nodes_, *node);
  if (keepers_ == 0) {
    nodes_.erase(node->position);
    return;
  }
  node->graph = nullptr;
  node->attributes = {};
  removed_nodes_.splice(removed_nodes_.end(), nodes_, node->position);
}

void Graph::ReplaceOutput(size_t index, Value* value) {
  Value* old = outputs_[index];
  outputs_[index] = value;
  if (old != nullptr) MayBeUnread(*old);
}

void Graph::RemoveInput(Value* input) {
  inputs_.erase(std::remove(inputs_.begin(), inputs_.end(), input), inputs_.end());
  RemoveValue(input);
}

int Graph::RemoveDead() {
  if (has_control_flow_) return SweepDead();
  const absl::flat_hash_set<const Value*> outputs(outputs_.begin(), outputs_.end());
  const auto unread = [&](const Value* value) {
    return value == nullptr || (value->uses.empty() && !outputs.contains(value));
  };
  int removed = 0;
  while (!unread_nodes_.empty()) {
    Node* node = unread_nodes_.back();
    Forget(unread_nodes_, *node);
    if (std::all_of(node->outputs.begin(), node->outputs.end(), unread)) {
      RemoveNode(node);  // what it alone read comes into the lists
      ++removed;
    } else {
      DropUnreadOutputs(*node, unread);
    }
  }
  while (!unread_constants_.empty()) {
    Value* value = unread_constants_.back();
    Forget(unread_constants_, *value);
    if (unread(value)) RemoveValue(value);
  }
  return removed;
}

// Unread outputs after the last that is read go; those between become absent.
void Graph::DropUnreadOutputs(Node& node, const std::function<bool(const Value*)>& unread) {
  for (size_t i = node.outputs.size(); i-- > 1;) {
    if (node.outputs[i] != nullptr && unread(node.outputs[i])) {
      RemoveValue(node.outputs[i]);
      node.outputs[i] = nullptr;
    }
  }
  while (node.outputs.size() > 1 && node.outputs.back() == nullptr && node.kind != OpKind::kSplit)
    node.outputs.pop_back();
}

// All of a graph whose nodes hold graphs: what those read around them are no uses.
int Graph::SweepDead() {
  absl::flat_hash_set<const Value*> captured;
  for (auto node = nodes_.begin(); has_control_flow_ && node != nodes_.end(); ++node) {
    ForEachSubgraph(**node, [&](Graph& inner) {
      inner.RemoveDead();
      std::vector<Value*> outer;
      CollectCaptures(inner, *this, outer);
      captured.insert(outer.begin(), outer.end());
    });
  }
  const absl::flat_hash_set<const Value*> outputs(outputs_.begin(), outputs_.end());
  auto unread = [&](const Value* value) {
    return value == nullptr || (value->uses.empty() && !outputs.contains(value) && !captured.contains(value));
  };
  int removed = 0;
  for (auto at = nodes_.end(); at != nodes_.begin();) {
    Node* node = std::prev(at)->get();
    if (std::all_of(node->outputs.begin(), node->outputs.end(), unread)) {
      RemoveNode(node);
      ++removed;
      continue;
    }
    --at;
    DropUnreadOutputs(*node, unread);
  }
  std::vector<Value*> dead;
  for (const auto& value : values_) {
    if (value->IsConstant() && unread(value.get())) dead.push_back(value.get());
  }
  for (Value* value : dead) RemoveValue(value);
  while (!unread_nodes_.empty()) Forget(unread_nodes_, *unread_nodes_.back());
  while (!unread_constants_.empty()) Forget(unread_constants_, *unread_constants_.back());
  return removed;
}

void Graph::MoveBefore(Node* node, Node* before) { nodes_.splice(before->position, nodes_, node->position); }

absl::Status Graph::SortTopologically() {
  absl::flat_hash_map<Node*, int> waiting;
  auto dependencies = [&](const Node& node) {
    std::vector<Value*> values(node.inputs.begin(), node.inputs.end());
    ForEachSubgraph(node, [&](const Graph& inner) { CollectCaptures(inner, *this, values); });
    return values;
  };
  absl::flat_hash_map<Node*, std::vector<Node*>> readers;
  std::deque<Node*> ready;
  for (const auto& node : nodes_) {
    int& count = waiting[node.get()];
    for (const Value* value : dependencies(*node)) {
      if (value == nullptr || value->producer == nullptr || value->producer->graph != this) continue;
      readers[value->producer].push_back(node.get());
      ++count;
    }
    if (count == 0) ready.push_back(node.get());
  }
  std::vector<Node*> order;
  while (!ready.empty()) {
    Node* node = ready.front();
    ready.pop_front();
    order.push_back(node);
    for (Node* reader : readers[node]) {
      if (--waiting[reader] == 0) ready.push_back(reader);
    }
  }
  if (order.size() != nodes_.size()) {
    for (const auto& node : nodes_) {
      if (waiting[node.get()] > 0) {
        return InvalidArgument("{} is on a cycle: it depends on its own output; the graph must be acyclic",
                               Describe(*node));
      }
    }
  }
  for (Node* node : order) nodes_.splice(nodes_.end(), nodes_, node->position);
  return absl::OkStatus();
}

void Graph::Rename(Value* value, std::string name) {
  if (value->name == name) return;
  by_name_.erase(value->name);
  value->name = FreeName(std::move(name));
  by_name_[value->name] = value;
}

std::vector<Value*> Graph::values() const {
  std::vector<Value*> all;
  all.reserve(values_.size());
  for (const auto& value : values_) all.push_back(value.get());
  return all;
}

bool Graph::IsOutput(const Value* value) const {
  return std::find(outputs_.begin(), outputs_.end(), value) != outputs_.end();
}

absl::Status Graph::Validate() const {
  absl::flat_hash_set<const Value*> defined(inputs_.begin(), inputs_.end());
  for (const auto& value : values_) {
    if (value->IsConstant()) defined.insert(value.get());
    if (Find(value->name) != value.get()) return Internal("two values are named '{}'", value->name);
  }
  auto is_defined = [&](const Value* value) {
    return defined.contains(value) || (parent != nullptr && parent->Find(value->name) == value);
  };
  for (const auto& node : nodes_) {
    const OpInfo& op = Info(node->kind);
    const int inputs = static_cast<int>(node->inputs.size());
    // A Loop may lack both its count and its condition.
    const int least = node->kind == OpKind::kLoop ? 0 : op.min_inputs;
    if (inputs < least || (op.max_inputs >= 0 && inputs > op.max_inputs)) {
      return Internal("{} has {} inputs; {} takes {} to {}", Describe(*node), inputs, op.name, op.min_inputs,
                      op.max_inputs);
    }
    if (op.outputs >= 0 && static_cast<int>(node->outputs.size()) > op.outputs) {
      return Internal("{} has {} outputs; {} has at most {}", Describe(*node), node->outputs.size(), op.name,
                      op.outputs);
    }
    for (size_t i = 0; i < node->inputs.size(); ++i) {
      const Value* input = node->inputs[i];
      if (input == nullptr) {
        if (static_cast<int>(i) < least) return Internal("{} lacks its input {}", Describe(*node), i);
        continue;
      }
      if (!is_defined(input)) return Internal("{} reads '{}' before it is made", Describe(*node), input->name);
      if (std::find(input->uses.begin(), input->uses.end(), Use{node.get(), static_cast<int>(i)}) ==
          input->uses.end()) {
        return Internal("'{}' does not know that {} reads it", input->name, Describe(*node));
      }
    }
    for (size_t i = 0; i < node->outputs.size(); ++i) {
      const Value* output = node->outputs[i];
      if (output == nullptr) continue;
      if (output->producer != node.get() || output->output_index != static_cast<int>(i)) {
        return Internal("'{}' does not know that {} makes it", output->name, Describe(*node));
      }
      defined.insert(output);
    }
    absl::Status inner_status;
    ForEachSubgraph(*node, [&](const Graph& inner) {
      if (inner_status.ok()) inner_status = inner.Validate();
    });
    RETURN_IF_ERROR(inner_status);
  }
  for (const auto& value : values_) {
    for (const Use& use : value->uses) {
      if (use.node->input(static_cast<size_t>(use.input)) != value.get()) {
        return Internal("'{}' believes that {} reads it", value->name, Describe(*use.node));
      }
    }
  }
  for (const Value* output : outputs_) {
    if (output == nullptr || !is_defined(output)) return Internal("an output of graph '{}' has no producer", name);
  }
  return absl::OkStatus();
}

namespace {

using ValueMap = absl::flat_hash_map<const Value*, Value*>;

void CopyProperties(const Value& from, Value& to) {
  to.type = from.type;
  to.shape = from.shape;
  to.origin = from.origin;
  to.quantization = from.quantization;
}

std::unique_ptr<Graph> CloneInto(const Graph& source, Graph* parent, ValueMap& map) {
  auto copy = std::make_unique<Graph>();
  copy->name = source.name;
  copy->parent = parent;
  for (const Value* value : source.values()) {
    if (!value->IsConstant()) continue;
    map[value] = copy->AddConstant(value->name, *value->constant);
    CopyProperties(*value, *map[value]);
  }
  for (const Value* input : source.inputs()) {
    map[input] = copy->AddInput(input->name, input->type, input->shape.value_or(Shape()));
    CopyProperties(*input, *map[input]);
  }
  auto mapped = [&](Value* value) -> Value* {
    if (value == nullptr) return nullptr;
    auto found = map.find(value);
    return found != map.end() ? found->second : value;
  };
  for (const auto& node : source.nodes()) {
    std::vector<Value*> inputs;
    for (Value* input : node->inputs) inputs.push_back(mapped(input));
    std::vector<std::string> names;
    for (const Value* output : node->outputs) names.push_back(output != nullptr ? output->name : "absent");
    Node* twin = copy->AddNode(node->kind, std::move(inputs), std::move(names), node->attributes);
    twin->name = node->name;
    std::vector<Value*> absent;
    for (size_t i = 0; i < node->outputs.size(); ++i) {
      if (node->outputs[i] == nullptr) {
        absent.push_back(twin->outputs[i]);
        continue;
      }
      map[node->outputs[i]] = twin->outputs[i];
      CopyProperties(*node->outputs[i], *twin->outputs[i]);
    }
    for (Value* value : absent) copy->DropOutput(value);
    for (const auto& [attribute, value] : node->attributes.all()) {
      if (const auto* inner = std::get_if<std::shared_ptr<Graph>>(&value)) {
        twin->attributes.Set(attribute, std::shared_ptr<Graph>(CloneInto(**inner, copy.get(), map)));
      }
    }
  }
  // Outputs that were replaced by nothing are gone.
  for (Value* output : source.outputs()) {
    if (output != nullptr) copy->AddOutput(mapped(output));
  }
  return copy;
}

}  // namespace

void Graph::DropOutput(Value* value) {
  value->producer->outputs[static_cast<size_t>(value->output_index)] = nullptr;
  MayBeUnread(*value->producer);
  RemoveValue(value);
}

std::unique_ptr<Graph> Graph::Clone(ValueMap* map) const {
  ValueMap local;
  return CloneInto(*this, parent, map != nullptr ? *map : local);
}

}  // namespace slipway
