// The rule driver.
#include <algorithm>
#include <array>
#include <deque>
#include <memory_resource>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "common/base/error.h"
#include "convert/passes/control_flow.h"
#include "convert/passes/pass.h"

namespace slipway {
namespace {

constexpr int kMaxFirings = 64;  // a node; more is a rule that never ends
constexpr size_t kHubUses = 16;  // of a value with more uses, only the newest are neighbours: a rule adds at the end

using Index = std::array<std::vector<const Rule*>, static_cast<size_t>(OpKind::kCount)>;

// Nodes are remembered by the name of an output, since a rule may remove any node.
const Value* Handle(const Node& node) {
  for (const Value* output : node.outputs) {
    if (output != nullptr) return output;
  }
  return nullptr;
}

// Names copied one after another: a large graph has very many, and they go together.
class Names {
 public:
  absl::string_view Copy(const std::string& name) {
    char* copy = static_cast<char*>(memory_.allocate(name.size(), 1));
    name.copy(copy, name.size());
    return {copy, name.size()};
  }

 private:
  std::pmr::monotonic_buffer_resource memory_;
};

class Worklist {
 public:
  Worklist(Graph& graph, const Index& index) : graph_(graph), index_(index) {}

  // Takes only nodes that have rules.
  void Add(const Node* node) {
    if (node == nullptr || node->graph != &graph_ || index_[static_cast<size_t>(node->kind)].empty()) return;
    const Value* handle = Handle(*node);
    if (handle == nullptr || waiting_.contains(handle->name)) return;
    queue_.push_back(names_.Copy(handle->name));
    waiting_.insert(queue_.back());
  }
  // The next node that still exists; nullptr at the end.
  Node* Next() {
    while (!queue_.empty()) {
      const absl::string_view name = queue_.front();
      queue_.pop_front();
      waiting_.erase(name);
      const Value* value = graph_.Find({name.data(), name.size()});
      if (value != nullptr && value->producer != nullptr) return value->producer;
    }
    return nullptr;
  }

 private:
  Graph& graph_;
  const Index& index_;
  Names names_;
  std::deque<absl::string_view> queue_;
  absl::flat_hash_set<absl::string_view> waiting_;
};

// Names of the values within two steps of a node, constants left out: what a local rewriting can touch.
class Neighbourhood {
 public:
  void Collect(const Node& node) {
    count_ = 0;
    visited_.clear();
    Collect(node, 1);
  }
  void AddTo(Graph& graph, Worklist& worklist) const {
    for (size_t i = 0; i < count_; ++i) {
      const Value* value = graph.Find(names_[i]);
      if (value == nullptr) continue;
      if (value->producer != nullptr) {
        worklist.Add(value->producer);
        for (const Value* input : value->producer->inputs) {
          if (input != nullptr) worklist.Add(input->producer);
        }
      }
      for (const Use& reader : NearUses(*value)) {
        worklist.Add(reader.node);
        for (const Value* output : reader.node->outputs) {
          if (output == nullptr || output->uses.size() > kHubUses) continue;
          for (const Use& use : output->uses) worklist.Add(use.node);
        }
      }
    }
  }

 private:
  // A value's readers; the newest of a hub's.
  static std::span<const Use> NearUses(const Value& value) {
    const std::span<const Use> uses = value.uses;
    return uses.subspan(uses.size() > kHubUses ? uses.size() - kHubUses : 0);
  }

  void Collect(const Node& node, int steps) {
    if (std::find(visited_.begin(), visited_.end(), &node) != visited_.end()) return;
    visited_.push_back(&node);
    for (const auto* values : {&node.inputs, &node.outputs}) {
      for (const Value* value : *values) {
        if (value == nullptr || value->IsConstant()) continue;
        if (count_ == names_.size()) names_.emplace_back();
        names_[count_++] = value->name;
        if (steps == 0) continue;
        if (value->producer != nullptr) Collect(*value->producer, steps - 1);
        for (const Use& use : NearUses(*value)) Collect(*use.node, steps - 1);
      }
    }
  }

  std::vector<std::string> names_;  // the first count_; the others keep their memory for the next node
  size_t count_ = 0;
  std::vector<const Node*> visited_;
};

absl::StatusOr<bool> Drive(Graph& graph, const Index& index) {
  Worklist worklist(graph, index);
  std::vector<Graph*> subgraphs;
  for (const auto& node : graph.nodes()) {
    worklist.Add(node.get());
    if (!HoldsGraphs(*node)) continue;
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
  Neighbourhood neighbourhood;
  std::string handle;
  while (Node* node = worklist.Next()) {
    const std::vector<const Rule*>& rules = index[static_cast<size_t>(node->kind)];
    if (rules.empty()) continue;
    // What a rule may make disappear; until one fires it stays true.
    handle = Handle(*node)->name;
    neighbourhood.Collect(*node);
    for (const Rule* rule : rules) {
      const absl::StatusOr<bool> fired = rule->Apply(graph, *node);
      if (!fired.ok()) return Annotate(fired.status(), fmt::format("rule {}", rule->name()));
      if (!*fired) continue;
      changed = true;
      if (++firings[handle] > kMaxFirings || --budget < 0) {
        return Internal("rule {} does not come to an end at the node that makes '{}'", rule->name(), handle);
      }
      neighbourhood.AddTo(graph, worklist);
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
