#include <limits>

#include "convert/passes/table.h"
#include "convert/targets/coreml/legalize/builder.h"
#include "convert/targets/coreml/legalize/rules.h"

namespace slipway::coreml_writer {
namespace {

// Counts 0 … n − 1 along `axis` of `rank`, in `type`.
Tensor Counts(int64_t n, int64_t axis, int64_t rank, DataType type) {
  std::vector<int64_t> sizes(static_cast<size_t>(rank), 1), counts;
  sizes[axis] = n;
  for (int64_t i = 0; i < n; ++i) counts.push_back(i);
  return Tensor::From(sizes, counts).Cast(type);
}

// OneHot: on where the index equals the count, negative ones from the end. Hardmax: one where the first maximum is.
absl::StatusOr<bool> OneHotByComparison(Graph& graph, Node& node) {
  Value* x = node.inputs[0];
  const int64_t rank = node.outputs[0]->rank();
  if (rank < 1) return false;
  const int64_t given = node.attributes.Int("axis", -1);
  const int64_t axis = given < 0 ? given + rank : given;
  const Dim& size = (*node.outputs[0]->shape)[axis];
  if (!size.IsKnown() || !IsTableSize({size.value()})) return false;
  Builder to(graph, node);
  if (node.kind == OpKind::kHardmax) {
    Attributes arg;
    arg.Set("axis", axis);
    Value* first = to.Op(OpKind::kArgMax, {x}, arg);
    Value* hit = to.Op(OpKind::kEqual, {first, to.Constant(Counts(size.value(), axis, rank, DataType::kInt64))});
    return to.Replace(to.Op(OpKind::kWhere, {hit, to.Number(1), to.Number(0)}));
  }
  const Tensor* values = node.constant(2);
  if (values == nullptr || values->size() != 2) return false;
  Value* wrapped = to.Op(OpKind::kWhere, {to.Op(OpKind::kLess, {x, to.Number(0)}),
                                          to.Add(x, to.Number(static_cast<double>(size.value()))), x});
  Value* index = to.Op(OpKind::kUnsqueeze, {wrapped, to.Constant(Tensor::Int64s({axis}))});
  Value* hit = to.Op(OpKind::kEqual, {index, to.Constant(Counts(size.value(), axis, rank, x->type))});
  const auto value = [&](size_t i) {
    return to.Constant(Tensor::From<double>({}, {values->ToDoubles()[i]}).Cast(values->type()));
  };
  return to.Replace(to.Op(OpKind::kWhere, {hit, value(1), value(0)}));
}

// Among equals the last: the first of the reversed axis, counted from the end.
absl::StatusOr<bool> ArgLastByReversal(Graph& graph, Node& node) {
  Value* x = node.inputs[0];
  if (node.attributes.Int("select_last_index", 0) == 0 || x->rank() < 1) return false;
  const int64_t given = node.attributes.Int("axis", 0);
  const int64_t axis = given < 0 ? given + x->rank() : given;
  if (!(*x->shape)[axis].IsKnown()) return false;
  Builder to(graph, node);
  const auto one = [&](int64_t value) { return to.Constant(Tensor::Int64s({value})); };
  Value* reversed = to.Op(OpKind::kSlice, {x, one(-1), one(-(int64_t{1} << 31)), one(axis), one(-1)});
  Attributes attributes = node.attributes;
  attributes.Erase("select_last_index");
  Value* first = to.Op(node.kind, {reversed}, std::move(attributes));
  return to.Replace(to.Sub(to.Constant(Tensor::From<int64_t>({}, {(*x->shape)[axis].value() - 1})), first));
}

absl::StatusOr<bool> IsInfByComparison(Graph& graph, Node& node) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  const bool negative = node.attributes.Int("detect_negative", 1) != 0;
  const bool positive = node.attributes.Int("detect_positive", 1) != 0;
  if (!negative && !positive) return false;
  Builder to(graph, node);
  Value* x = negative && positive ? to.Op(OpKind::kAbs, {node.inputs[0]}) : node.inputs[0];
  return to.Replace(to.Op(OpKind::kEqual, {x, to.Number(positive ? kInf : -kInf)}));
}

// select takes three of one shape.
absl::StatusOr<bool> WhereOfOneShape(Graph& graph, Node& node) {
  if (!node.outputs[0]->shape || !IsStatic(*node.outputs[0]->shape)) return false;
  const Shape wanted = *node.outputs[0]->shape;
  bool changed = false;
  for (size_t i = 0; i < 3; ++i) {
    if (node.inputs[i]->shape == wanted) continue;
    Builder to(graph, node);
    Value* expanded = to.Op(OpKind::kExpand, {node.inputs[i], to.Constant(Tensor::Int64s(*StaticShape(wanted)))});
    RETURN_IF_ERROR(to.status());
    graph.SetInput(&node, i, expanded);
    changed = true;
  }
  return changed;
}

// Core ML's lets x = alpha through, ONNX's does not.
absl::StatusOr<bool> ThresholdByComparison(Graph& graph, Node& node) {
  Value* x = node.inputs[0];
  Builder to(graph, node);
  Value* above = to.Op(OpKind::kGreater, {x, to.Number(node.attributes.Float("alpha", 1))});
  return to.Replace(to.Op(OpKind::kWhere, {above, x, to.Number(0)}));
}

}  // namespace

void AddSelectRules(Rules& rules) {
  rules.push_back(std::make_unique<FunctionRule>("one-hot-by-comparison",
                                                 std::vector{OpKind::kOneHot, OpKind::kHardmax}, OneHotByComparison));
  rules.push_back(std::make_unique<FunctionRule>("arg-last-by-reversal", std::vector{OpKind::kArgMax, OpKind::kArgMin},
                                                 ArgLastByReversal));
  rules.push_back(
      std::make_unique<FunctionRule>("is-inf-by-comparison", std::vector{OpKind::kIsInf}, IsInfByComparison));
  rules.push_back(std::make_unique<FunctionRule>("where-of-one-shape", std::vector{OpKind::kWhere}, WhereOfOneShape));
  rules.push_back(std::make_unique<FunctionRule>("threshold-by-comparison", std::vector{OpKind::kThresholdedRelu},
                                                 ThresholdByComparison));
}

}  // namespace slipway::coreml_writer
