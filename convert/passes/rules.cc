// The rule driver.
#include <algorithm>
#include <array>
#include <deque>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "common/base/error.h"
#include "convert/passes/pass.h"

namespace slipway {
namespace {

constexpr int kMaxFirings = 64;  // a node; more is a rule that never ends
constexpr size_t kHubUses = 16;  // of a value with more uses, only the newest are neighbours: a rule adds at the end

// Nodes are remembered by the name of an output, since a rule may remove any node.
const Value* Handle(const Node& node) {
  for (const Value* output : node.outputs) {
    if (output != nullptr) return output;
  }
  return nullptr;
}

class Worklist {
 public:
  explicit Worklist(Graph& graph) : graph_(graph) {}

  void Add(const Node* node) {
    if (node == nullptr || node->graph != &graph_) return;
    const Value* handle = Handle(*node);
    if (handle != nullptr && waiting_.insert(handle->name).second) queue_.push_back(handle->name);
  }
  // The next node that still exists; nullptr at the end.
  Node* Next() {
    while (!queue_.empty()) {
      const std::string name = std::move(queue_.front());
      queue_.pop_front();
      waiting_.erase(name);
      const Value* value = graph_.Find(name);
      if (value != nullptr && value->producer != nullptr) return value->producer;
    }
    return nullptr;
  }

 private:
  Graph& graph_;
  std::deque<std::string> queue_;
  absl::flat_hash_set<std::string> waiting_;
};

// Names of the values within two steps of a node, constants left out: what a local rewriting can touch.
void CollectNames(const Node& node, int steps, std::vector<const Node*>& visited, std::vector<std::string>& names) {
  if (std::find(visited.begin(), visited.end(), &node) != visited.end()) return;
  visited.push_back(&node);
  const auto collect = [&](const Value* value) {
    if (value == nullptr || value->IsConstant()) return;
    names.push_back(value->name);
    if (steps == 0) return;
    if (value->producer != nullptr) CollectNames(*value->producer, steps - 1, visited, names);
    const size_t first = value->uses.size() > kHubUses ? value->uses.size() - kHubUses : 0;
    for (size_t i = first; i < value->uses.size(); ++i) CollectNames(*value->uses[i].node, steps - 1, visited, names);
  };
  for (const Value* input : node.inputs) collect(input);
  for (const Value* output : node.outputs) collect(output);
}

void AddNeighbours(Graph& graph, const std::vector<std::string>& names, Worklist& worklist) {
  for (const std::string& name : names) {
    const Value* value = graph.Find(name);
    if (value == nullptr) continue;
    if (value->producer != nullptr) {
      worklist.Add(value->producer);
      for (const Value* input : value->producer->inputs) {
        if (input != nullptr) worklist.Add(input->producer);
      }
    }
    const size_t first = value->uses.size() > kHubUses ? value->uses.size() - kHubUses : 0;
    for (size_t i = first; i < value->uses.size(); ++i) {
      worklist.Add(value->uses[i].node);
      for (const Value* output : value->uses[i].node->outputs) {
        if (output == nullptr || output->uses.size() > kHubUses) continue;
        for (const Use& use : output->uses) worklist.Add(use.node);
      }
    }
  }
}

using Index = std::array<std::vector<const Rule*>, static_cast<size_t>(OpKind::kCount)>;

absl::StatusOr<bool> Drive(Graph& graph, const Index& index) {
  Worklist worklist(graph);
  std::vector<Graph*> subgraphs;
  for (const auto& node : graph.nodes()) {
    worklist.Add(node.get());
    for (const auto& [name, attribute] : node->attributes.all()) {
      if (const auto* subgraph = std::get_if<std::shared_ptr<Graph>>(&attribute)) subgraphs.push_back(subgraph->get());
    }
  }
  bool changed = false;
  for (Graph* subgraph : subgraphs) {
    ASSIGN_OR_RETURN(const bool inner, Drive(*subgraph, index));
    changed |= inner;
  }
  absl::flat_hash_map<std::string, int> firings;
  int64_t budget = kMaxFirings * (static_cast<int64_t>(graph.node_count()) + 1);
  std::vector<std::string> names;
  std::vector<const Node*> visited;
  while (Node* node = worklist.Next()) {
    const std::vector<const Rule*>& rules = index[static_cast<size_t>(node->kind)];
    if (rules.empty()) continue;
    // What a rule may make disappear; until one fires it stays true.
    const std::string handle = Handle(*node)->name;
    names.clear();
    visited.clear();
    CollectNames(*node, 1, visited, names);
    for (const Rule* rule : rules) {
      const absl::StatusOr<bool> fired = rule->Apply(graph, *node);
      if (!fired.ok()) return Annotate(fired.status(), fmt::format("rule {}", rule->name()));
      if (!*fired) continue;
      changed = true;
      if (++firings[handle] > kMaxFirings || --budget < 0) {
        return Internal("rule {} does not come to an end at the node that makes '{}'", rule->name(), handle);
      }
      AddNeighbours(graph, names, worklist);
      if (const Value* value = graph.Find(handle); value != nullptr) worklist.Add(value->producer);
      break;  // the node may be gone
    }
  }
  return changed;
}

}  // namespace

absl::StatusOr<bool> ApplyRules(Graph& graph, std::span<const std::unique_ptr<Rule>> rules) {
  Index index;
  for (const auto& rule : rules) {
    for (OpKind kind : rule->kinds()) index[static_cast<size_t>(kind)].push_back(rule.get());
  }
  return Drive(graph, index);
}

}  // namespace slipway
