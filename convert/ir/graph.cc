#include "convert/ir/graph.h"

#include <algorithm>
#include <utility>

#include "common/base/error.h"
#include "convert/ir/subgraphs.h"

namespace slipway {
namespace {

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

void Graph::DropOutput(Value* value) {
  value->producer->outputs[static_cast<size_t>(value->output_index)] = nullptr;
  MayBeUnread(*value->producer);
  RemoveValue(value);
}

}  // namespace slipway
