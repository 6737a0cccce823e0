#include <algorithm>

#include "common/base/error.h"
#include "convert/passes/layout/layout.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"

namespace slipway::layout {
namespace {

// The origin of Transpose(value, perm).
Origin Permuted(const Origin& origin, const std::vector<int64_t>& perm) {
  if (!origin.known()) return origin;
  Origin permuted = origin;
  permuted.permutation = origin.permutation.empty() ? perm : Compose(origin.permutation, perm);
  if (IsIdentityPerm(permuted.permutation)) permuted.permutation.clear();
  const auto at = std::find(perm.begin(), perm.end(), origin.channel_axis);
  if (at != perm.end()) permuted.channel_axis = at - perm.begin();
  return permuted;
}

}  // namespace

absl::StatusOr<Value*> TransposedBefore(Graph& graph, Value* value, const std::vector<int64_t>& perm, Node* before) {
  if (IsIdentityPerm(perm)) return value;
  if (const Node* producer = ProducerOf(value, OpKind::kTranspose);
      producer != nullptr && PermOf(*producer) == Inverse(perm))
    return producer->input(0);
  if (!value->IsConstant()) {
    for (const Use& use : value->uses) {
      Node* reader = use.node;
      if (reader->kind != OpKind::kTranspose || reader->graph != &graph || PermOf(*reader) != perm) continue;
      // It must stand before its new reader too: it needs nothing but its operand, so it can move up to that.
      Node* first = value->producer == nullptr || value->producer->graph != &graph
                        ? graph.nodes().front().get()
                        : std::next(value->producer->position)->get();
      if (first != reader) graph.MoveBefore(reader, first);
      return reader->output();
    }
  }
  Attributes attributes;
  attributes.Set("perm", perm);
  ASSIGN_OR_RETURN(Node* const transpose, AddInferred(graph, OpKind::kTranspose, {value}, value->name + "_transposed",
                                                      std::move(attributes), before));
  transpose->output()->origin = Permuted(value->origin, perm);
  return transpose->output();
}

absl::Status TransposeAfter(Graph& graph, Node& node, size_t output, const std::vector<int64_t>& perm) {
  Value* value = node.output(output);
  if (value == nullptr || IsIdentityPerm(perm)) return absl::OkStatus();
  const auto next = std::next(node.position);
  Node* before = next == graph.nodes().end() ? nullptr : next->get();
  Attributes attributes;
  attributes.Set("perm", perm);
  Node* transpose =
      graph.AddNode(OpKind::kTranspose, {value}, {value->name + "_transposed"}, std::move(attributes), before);
  Value* moved = transpose->output();
  graph.ReplaceUses(value, moved);
  graph.SetInput(transpose, 0, value);
  RETURN_IF_ERROR(InferNode(*transpose));
  moved->origin = value->origin;
  value->origin = Permuted(value->origin, Inverse(perm));
  if (graph.IsOutput(moved)) {
    const std::string name = value->name;
    graph.Rename(value, name + "_channels_last");
    graph.Rename(moved, name);
  }
  return absl::OkStatus();
}

bool IsToChannelsFirst(const std::vector<int64_t>& perm) {
  if (perm.size() < 3 || perm[0] != 0 || perm[1] != static_cast<int64_t>(perm.size()) - 1) return false;
  for (size_t i = 2; i < perm.size(); ++i) {
    if (perm[i] != static_cast<int64_t>(i) - 1) return false;
  }
  return true;
}

bool HasTransposedReader(const Value* value, const std::vector<int64_t>& perm) {
  return std::any_of(value->uses.begin(), value->uses.end(),
                     [&](const Use& use) { return use.node->kind == OpKind::kTranspose && PermOf(*use.node) == perm; });
}

std::vector<int64_t> DropAxes(const std::vector<int64_t>& perm, const std::vector<bool>& dropped) {
  std::vector<int64_t> kept;
  for (size_t i = 0; i < perm.size(); ++i) {
    if (!dropped[i]) kept.push_back(perm[i]);
  }
  std::vector<int64_t> sorted = kept;
  std::sort(sorted.begin(), sorted.end());
  for (int64_t& axis : kept) axis = std::lower_bound(sorted.begin(), sorted.end(), axis) - sorted.begin();
  return kept;
}

}  // namespace slipway::layout
