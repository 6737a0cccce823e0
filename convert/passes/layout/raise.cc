// Transposes of what is computed from the graph's inputs alone: they rise to the inputs, where the interface has them anyway.
#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "common/base/error.h"
#include "convert/passes/layout/layout.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"

namespace slipway::layout {
namespace {

bool IsToChannelsLast(const std::vector<int64_t>& perm) { return IsToChannelsFirst(Inverse(perm)); }

bool IsGraphInput(const Value* value) { return value->producer == nullptr && !value->IsConstant(); }

// The nodes between the graph's inputs and a value, producers first; empty where one of them may not be moved.
class Cone {
 public:
  Cone(const Graph& graph, const std::vector<int64_t>& perm) : graph_(graph), perm_(perm) {}

  // Whether everything above the value is of inputs and constants, through ops that a Transpose passes.
  bool Collect(Value* value) {
    if (value == nullptr || value->IsConstant()) return true;
    if (value->rank() != static_cast<int64_t>(perm_.size())) return false;
    if (IsGraphInput(value)) {
      if (std::ranges::find(inputs_, value) == inputs_.end()) inputs_.push_back(value);
      return true;
    }
    Node* node = value->producer;
    if (!seen_.insert(node).second) return true;
    if (seen_.size() > kMaxNodes || node->graph != &graph_ || node->outputs.size() != 1 || graph_.IsOutput(value) ||
        SinkOf(node->kind) == nullptr)
      return false;
    for (Value* input : node->inputs) {
      if (!Collect(input)) return false;
    }
    nodes_.push_back(node);
    return true;
  }
  // Whether all that reads the nodes wants them transposed, or lets a Transpose pass on.
  bool MayMove() const {
    return std::ranges::all_of(nodes_, [&](const Node* node) {
      return std::ranges::all_of(node->output()->uses, [&](const Use& use) {
        const Node& reader = *use.node;
        if (reader.graph != &graph_) return false;
        if (reader.kind == OpKind::kTranspose) return PermOf(reader) == perm_;
        return SinkOf(reader.kind) != nullptr && reader.output() != nullptr &&
               reader.output()->rank() == static_cast<int64_t>(perm_.size());
      });
    });
  }
  // The first of the nodes in the graph's order.
  Node* First() const {
    const auto found =
        std::ranges::find_if(graph_.nodes(), [&](const auto& node) { return seen_.contains(node.get()); });
    return found->get();
  }
  const std::vector<Value*>& inputs() const { return inputs_; }
  const std::vector<Node*>& nodes() const { return nodes_; }

 private:
  static constexpr size_t kMaxNodes = 64;  // preprocessing, not a network

  const Graph& graph_;
  const std::vector<int64_t>& perm_;
  absl::flat_hash_set<const Node*> seen_;
  std::vector<Value*> inputs_;
  std::vector<Node*> nodes_;
};

class RaiseTransposeRule final : public Rule {
 public:
  std::string_view name() const override { return "raise-transpose"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    const std::vector<int64_t> perm = PermOf(node), inverse = Inverse(perm);
    if (perm.empty() || !IsToChannelsLast(perm) || IsGraphInput(node.input(0))) return false;
    Cone cone(graph, perm);
    if (!cone.Collect(node.input(0)) || cone.inputs().empty() || !cone.MayMove()) return false;
    // The nodes read Transpose(Transpose(input)); the second of these then sinks through them all to meet its inverse.
    for (Value* input : cone.inputs()) {
      Node* const first = cone.First();
      ASSIGN_OR_RETURN(Value* const last, TransposedBefore(graph, input, perm, first));
      Attributes attributes;
      attributes.Set("perm", inverse);
      ASSIGN_OR_RETURN(Node* const back, AddInferred(graph, OpKind::kTranspose, {last}, input->name + "_restored",
                                                     std::move(attributes), first));
      for (Node* reader : cone.nodes()) {
        for (size_t i = 0; i < reader->inputs.size(); ++i) {
          if (reader->input(i) == input) graph.SetInput(reader, i, back->output());
        }
      }
    }
    for (Node* reader : cone.nodes()) {
      // What does not let it pass keeps it above itself: no worse than the Transpose that was below.
      ASSIGN_OR_RETURN(const bool sunk, SinkOf(reader->kind)(graph, *reader, inverse));
      if (!sunk) break;
    }
    return true;
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kTranspose};
};

}  // namespace

bool IsAtInput(const Node& transpose) {
  return IsGraphInput(transpose.input(0)) && IsToChannelsLast(PermOf(transpose));
}

std::unique_ptr<Rule> RaiseTranspose() { return std::make_unique<RaiseTransposeRule>(); }

}  // namespace slipway::layout
