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

using Index = std::array<std::vector<const Rule*>, static_cast<size_t>(OpKind::kCount)>;

const Value* FirstOutput(const Node& node) {
  for (const Value* output : node.outputs) {
    if (output != nullptr) return output;
  }
  return nullptr;
}

// A value's readers; the newest of a hub's.
std::span<const Use> NearUses(const Value& value) {
  const std::span<const Use> uses = value.uses;
  return uses.subspan(uses.size() > kHubUses ? uses.size() - kHubUses : 0);
}

// The nodes still to be tried, each at most once at a time. A rule may remove any node: the graph keeps them readable meanwhile.
class Worklist {
 public:
  Worklist(Graph& graph, const Index& index) : graph_(graph), index_(index) {}

  // Takes nodes that make something and have rules, and with a node that a rule has made all those that it made with it: they hang together.
  void Add(Node* node) {
    if (node == nullptr || node->graph != &graph_) return;
    Queue(node);
    if (!known_.insert(node).second) return;
    std::vector<Node*> made = {node};
    const auto reach = [&](Node* next) {
      if (next == nullptr || next->graph != &graph_ || !known_.insert(next).second) return;
      Queue(next);
      made.push_back(next);
    };
    while (!made.empty()) {
      const Node* from = made.back();
      made.pop_back();
      for (const Value* input : from->inputs) {
        if (input != nullptr) reach(input->producer);
      }
      for (const Value* output : from->outputs) {
        if (output == nullptr) continue;
        for (const Use& use : NearUses(*output)) reach(use.node);
      }
    }
  }
  void Reserve(size_t nodes) { known_.reserve(nodes); }
  // All that the graph has before any rule.
  void Start(Node* node) {
    known_.insert(node);
    Queue(node);
  }
  // nullptr at the end. In place of a node that is gone comes the one that makes its output now.
  Node* Next() {
    while (!queue_.empty()) {
      Node* node = queue_.front();
      queue_.pop_front();
      node->waiting = false;
      const Value* output = FirstOutput(*node);
      if (output == nullptr) continue;  // a rule has made what it made a constant
      if (node->graph != nullptr) return node;
      const Value* heir = graph_.Find(output->name);
      if (heir != nullptr && heir->producer != nullptr && heir->producer->graph == &graph_) return heir->producer;
    }
    return nullptr;
  }

 private:
  void Queue(Node* node) {
    if (node->waiting || index_[static_cast<size_t>(node->kind)].empty() || FirstOutput(*node) == nullptr) return;
    node->waiting = true;
    queue_.push_back(node);
  }

  Graph& graph_;
  const Index& index_;
  std::deque<Node*> queue_;
  absl::flat_hash_set<const Node*> known_;  // a removed node stays readable, so none has another's address
};

// The values within two steps of a node, constants left out: what a local rewriting can touch.
class Neighbourhood {
 public:
  void Collect(const Graph& graph, const Node& node) {
    graph_ = &graph;
    values_.clear();
    visited_.clear();
    Collect(node, 1);
  }
  // What makes and reads those values now, and one step further.
  void AddTo(Graph& graph, Worklist& worklist) const {
    for (const Value* collected : values_) {
      const Value* value = collected->graph != nullptr ? collected : graph.Find(collected->name);
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
  void Collect(const Node& node, int steps) {
    if (std::find(visited_.begin(), visited_.end(), &node) != visited_.end()) return;
    visited_.push_back(&node);
    const auto collect = [&](const Value* value) {
      if (value == nullptr || value->IsConstant()) return;
      if (IsVisible(*value)) values_.push_back(value);
      if (steps == 0) return;
      if (value->producer != nullptr) Collect(*value->producer, steps - 1);
      for (const Use& use : NearUses(*value)) Collect(*use.node, steps - 1);
    };
    for (const Value* input : node.inputs) collect(input);
    for (const Value* output : node.outputs) collect(output);
  }

  // Those of graphs inside may go with their graph, and no rule of this one is for their nodes.
  bool IsVisible(const Value& value) const {
    const Graph* graph = graph_;
    while (graph != nullptr && graph != value.graph) graph = graph->parent;
    return graph != nullptr;
  }

  const Graph* graph_ = nullptr;
  std::vector<const Value*> values_;
  std::vector<const Node*> visited_;
};

class Watch {
 public:
  Watch(Graph& graph, std::function<void()> before_change) : graph_(graph) {
    graph_.BeforeNextChange(std::move(before_change));
  }
  ~Watch() { graph_.BeforeNextChange({}); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

 private:
  Graph& graph_;
};

absl::StatusOr<bool> Drive(Graph& graph, const Index& index) {
  const Graph::KeepRemoved keep_removed(graph);
  Worklist worklist(graph, index);
  std::vector<Graph*> subgraphs;
  worklist.Reserve(static_cast<size_t>(graph.node_count()));
  for (const auto& node : graph.nodes()) {
    worklist.Start(node.get());
    if (!graph.MayHoldGraphs()) continue;
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
  while (Node* node = worklist.Next()) {
    // Found before a rule changes anything, but for the many nodes at which none does, not at all. A rule may change more than one graph where there
    // are several.
    bool collected = graph.MayHoldGraphs() || graph.parent != nullptr;
    if (collected) neighbourhood.Collect(graph, *node);
    const auto collect = [&] {
      if (!collected) neighbourhood.Collect(graph, *node);
      collected = true;
    };
    const Watch watch(graph, collected ? std::function<void()>() : collect);
    const Value* output = FirstOutput(*node);
    for (const Rule* rule : index[static_cast<size_t>(node->kind)]) {
      const absl::StatusOr<bool> fired = rule->Apply(graph, *node);
      if (!fired.ok()) return Annotate(fired.status(), fmt::format("rule {}", rule->name()));
      if (!*fired) continue;
      collect();
      changed = true;
      if (++firings[output->name] > kMaxFirings || --budget < 0) {
        return Internal("rule {} does not come to an end at the node that makes '{}'", rule->name(), output->name);
      }
      neighbourhood.AddTo(graph, worklist);
      if (const Value* value = graph.Find(output->name); value != nullptr) worklist.Add(value->producer);
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
