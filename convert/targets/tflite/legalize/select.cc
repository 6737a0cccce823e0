#include <limits>
#include <numeric>

#include "common/base/error.h"
#include "convert/ir/cast.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"
#include "convert/passes/table.h"
#include "convert/targets/tflite/legalize/legalize.h"

namespace slipway::tflite {
namespace {

using enum OpKind;

// One where the index equals that of the first maximum.
absl::StatusOr<bool> Hardmax(Graph& graph, Node& node) {
  const int64_t rank = node.input(0)->rank();
  if (rank < 1) return false;
  const int64_t given = node.attributes.Int("axis", -1), axis = given < 0 ? given + rank : given;
  const Dim& size = (*node.input(0)->shape)[static_cast<size_t>(axis)];
  if (!size.IsKnown() || !IsTableSize({size.value()})) return false;
  std::vector<int64_t> counts(static_cast<size_t>(size.value()));
  std::iota(counts.begin(), counts.end(), int64_t{0});
  std::vector<int64_t> shape(static_cast<size_t>(rank), 1);
  shape[static_cast<size_t>(axis)] = size.value();
  Expansion e(graph, node);
  Value* first = e.Op(kArgMax, {node.input(0)}, With("axis", axis));
  Value* hit = e.Op(kEqual, {first, e.Constant(Tensor::From(shape, counts))});
  return e.Become(kCast, {hit}, With("to", ElementTypeCode(node.output()->type)));
}

// Among equals the last: the first of the reversed axis, counted from the end.
absl::StatusOr<bool> LastExtreme(Graph& graph, Node& node) {
  const int64_t rank = node.input(0)->rank();
  if (node.attributes.Int("select_last_index", 0) == 0 || rank < 1) return false;
  const int64_t given = node.attributes.Int("axis", 0), axis = given < 0 ? given + rank : given;
  const Dim& size = (*node.input(0)->shape)[static_cast<size_t>(axis)];
  if (!size.IsKnown()) return false;
  Expansion e(graph, node);
  constexpr int64_t kBeforeStart = std::numeric_limits<int32_t>::min();
  Value* reversed = e.Op(kSlice, {node.input(0), e.Axes({-1}), e.Axes({kBeforeStart}), e.Axes({axis}), e.Axes({-1})});
  Attributes attributes = node.attributes;
  attributes.Erase("select_last_index");
  Value* first = e.Op(node.kind, {reversed}, attributes);
  return e.Become(kSub, {e.Constant(Tensor::From<int64_t>({}, {size.value() - 1})), first});
}

// TOPK_V2 takes the greatest of the last axis.
absl::StatusOr<bool> GreatestOfLast(Graph& graph, Node& node) {
  Value* x = node.input(0);
  const int64_t rank = x->rank();
  if (rank < 1 || x->type != DataType::kFloat32) return false;
  const int64_t given = node.attributes.Int("axis", -1), axis = given < 0 ? given + rank : given;
  const bool least = node.attributes.Int("largest", 1) == 0, moves = axis != rank - 1;
  if (!least && !moves) return false;
  std::vector<int64_t> swap(static_cast<size_t>(rank));
  std::iota(swap.begin(), swap.end(), int64_t{0});
  std::swap(swap[static_cast<size_t>(axis)], swap.back());
  Expansion e(graph, node);
  if (moves) x = e.Op(kTranspose, {x}, With("perm", swap));
  if (least) x = e.Op(kNeg, {x});
  if (x == nullptr) return false;
  std::vector<std::string> names;
  for (const Value* output : node.outputs) names.push_back(output == nullptr ? "" : output->name + "/top");
  Node* top = graph.AddNode(kTopK, {x, node.input(1)}, names, {}, &node);
  RETURN_IF_ERROR(InferNode(*top));
  std::vector<std::pair<Value*, std::string>> renames;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    Value *output = node.outputs[i], *result = top->outputs[i];
    if (output == nullptr) {
      graph.DropOutput(result);
      continue;
    }
    if (i == 0 && least) result = e.Op(kNeg, {result});
    if (moves) result = e.Op(kTranspose, {result}, With("perm", swap));
    if (result == top->outputs[i]) result = e.Op(kIdentity, {result});
    if (result == nullptr) return false;
    result->origin = output->origin;
    graph.ReplaceUses(output, result);
    renames.emplace_back(result, output->name);
  }
  graph.RemoveNode(&node);
  for (const auto& [value, name] : renames) graph.Rename(value, name);
  return true;
}

// ONE_HOT counts from the start only.
absl::StatusOr<bool> OneHotFromStart(Graph& graph, Node& node) {
  Value* indices = node.input(0);
  const std::optional<double> depth = ScalarOf(node.input(1));
  if (!depth || node.constant(2) == nullptr || ProducerOf(indices, kMod) != nullptr) return false;
  Expansion e(graph, node);
  if (indices->type != DataType::kInt64)
    indices = e.Op(kCast, {indices}, With("to", ElementTypeCode(DataType::kInt64)));
  indices = e.Op(kMod, {indices, e.Constant(Tensor::From<int64_t>({}, {static_cast<int64_t>(*depth)}))});
  return e.Become(kOneHot, {indices, node.input(1), node.input(2)}, node.attributes);
}

}  // namespace

void AddTopKRules(Rules& rules) { rules.push_back(MakeRule("greatest-of-last-axis", {kTopK}, GreatestOfLast)); }

void AddSelectRules(Rules& rules) {
  rules.push_back(MakeRule("one-hot-from-start", {kOneHot}, OneHotFromStart));
  rules.push_back(MakeRule("hardmax-to-equal", {kHardmax}, Hardmax));
  rules.push_back(MakeRule("last-extreme-by-reversal", {kArgMax, kArgMin}, LastExtreme));
}

}  // namespace slipway::tflite
