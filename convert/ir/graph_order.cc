#include <algorithm>
#include <deque>

#include "common/base/error.h"
#include "convert/ir/graph.h"
#include "convert/ir/subgraphs.h"

namespace slipway {

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

}  // namespace slipway
