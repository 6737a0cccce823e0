// Ops that name axes: the axes are renamed.
#include <algorithm>

#include "common/base/error.h"
#include "convert/passes/layout/layout.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"

namespace slipway::layout {
namespace {

using Perm = std::vector<int64_t>;

int64_t Resolved(int64_t axis, const Perm& perm) { return axis < 0 ? axis + static_cast<int64_t>(perm.size()) : axis; }

Value* SourceOf(const Node& node) { return node.input(0)->producer->input(0); }

// Infers and puts the Transpose after every output.
absl::StatusOr<bool> Finish(Graph& graph, Node& node, const Perm& out_perm) {
  RETURN_IF_ERROR(InferNode(node));
  for (size_t i = 0; i < node.outputs.size(); ++i) RETURN_IF_ERROR(TransposeAfter(graph, node, i, out_perm));
  return true;
}

// An `axis` attribute; the result has the same axes.
absl::StatusOr<bool> SinkAxis(Graph& graph, Node& node, const Perm& perm) {
  const int64_t fallback = node.kind == OpKind::kSplit ? 0 : -1;
  node.attributes.Set("axis", perm[Resolved(node.attributes.Int("axis", fallback), perm)]);
  graph.SetInput(&node, 0, SourceOf(node));
  return Finish(graph, node, perm);
}

absl::StatusOr<bool> SinkConcat(Graph& graph, Node& node, const Perm& perm) {
  const Perm inverse = Inverse(perm);
  for (const Value* input : node.inputs) {
    const Node* producer = ProducerOf(input, OpKind::kTranspose);
    const bool has_reader = IsToChannelsFirst(perm) && HasTransposedReader(input, inverse);
    if (!input->IsConstant() && !has_reader && (producer == nullptr || PermOf(*producer) != perm)) return false;
  }
  const std::vector<Value*> inputs = node.inputs;
  for (size_t i = 0; i < inputs.size(); ++i) {
    Value* operand = nullptr;
    if (inputs[i]->IsConstant()) {
      operand = graph.AddConstant(inputs[i]->name + "_transposed", Transpose(*inputs[i]->constant, inverse));
    } else {
      ASSIGN_OR_RETURN(operand, TransposedBefore(graph, inputs[i], inverse, &node));
    }
    graph.SetInput(&node, i, operand);
  }
  node.attributes.Set("axis", perm[Resolved(node.attributes.Int("axis", 0), perm)]);
  return Finish(graph, node, perm);
}

// Axes as a constant input; absent: `count` axes from the first.
std::optional<std::vector<int64_t>> ConstantAxes(const Node& node, size_t input, size_t count, const Perm& perm) {
  std::vector<int64_t> axes;
  if (node.input(input) == nullptr) {
    for (size_t i = 0; i < count; ++i) axes.push_back(static_cast<int64_t>(i));
  } else if (const Tensor* tensor = node.constant(input); tensor != nullptr) {
    axes = tensor->ToInt64s();
  } else {
    return std::nullopt;
  }
  for (int64_t& axis : axes) {
    axis = Resolved(axis, perm);
    if (axis < 0 || axis >= static_cast<int64_t>(perm.size())) return std::nullopt;
  }
  return axes;
}

void SetAxes(Graph& graph, Node& node, size_t input, const std::vector<int64_t>& axes, const Perm& perm) {
  std::vector<int64_t> mapped;
  for (int64_t axis : axes) mapped.push_back(perm[axis]);
  graph.SetInput(&node, input, graph.AddConstant(node.output()->name + "_axes", Tensor::Int64s(mapped)));
}

absl::StatusOr<bool> SinkSlice(Graph& graph, Node& node, const Perm& perm) {
  const auto axes = ConstantAxes(
      node, 3, node.constant(1) != nullptr ? static_cast<size_t>(node.constant(1)->size()) : perm.size(), perm);
  if (!axes || (node.input(3) == nullptr && node.constant(1) == nullptr)) return false;
  SetAxes(graph, node, 3, *axes, perm);
  graph.SetInput(&node, 0, SourceOf(node));
  return Finish(graph, node, perm);
}

// Pads computed at run time, of all axes: Gather puts them into the order.
absl::StatusOr<bool> SinkComputedPad(Graph& graph, Node& node, const Perm& perm) {
  if (node.input(3) != nullptr) return false;
  std::vector<int64_t> order = Inverse(perm);
  for (size_t i = 0; i < perm.size(); ++i) order.push_back(order[i] + static_cast<int64_t>(perm.size()));
  const std::string name = node.output()->name + "_pads";
  ASSIGN_OR_RETURN(Node* const pads,
                   AddInferred(graph, OpKind::kGather, {node.input(1), graph.AddConstant(name, Tensor::Int64s(order))},
                               name, {}, &node));
  graph.SetInput(&node, 1, pads->output());
  graph.SetInput(&node, 0, SourceOf(node));
  return Finish(graph, node, perm);
}

absl::StatusOr<bool> SinkPad(Graph& graph, Node& node, const Perm& perm) {
  const Tensor* pads = node.constant(1);
  if (pads == nullptr) return SinkComputedPad(graph, node, perm);
  const auto axes = ConstantAxes(node, 3, perm.size(), perm);
  if (!axes) return false;
  // All axes, in order: what every later stage reads most easily.
  const std::vector<int64_t> amounts = pads->ToInt64s();
  const size_t rank = perm.size();
  if (amounts.size() != 2 * axes->size()) return false;
  std::vector<int64_t> moved(2 * rank, 0);
  for (size_t i = 0; i < axes->size(); ++i) {
    const size_t to = static_cast<size_t>(perm[(*axes)[i]]);
    moved[to] = amounts[i];
    moved[to + rank] = amounts[i + axes->size()];
  }
  if (node.input(3) != nullptr) graph.SetInput(&node, 3, nullptr);
  graph.SetInput(&node, 1, graph.AddConstant(node.output()->name + "_pads", Tensor::Int64s(moved)));
  graph.SetInput(&node, 0, SourceOf(node));
  return Finish(graph, node, perm);
}

absl::StatusOr<bool> SinkReduce(Graph& graph, Node& node, const Perm& perm) {
  const bool noop = node.attributes.Int("noop_with_empty_axes", 0) != 0;
  if (node.input(1) != nullptr && node.constant(1) == nullptr) return false;
  std::vector<int64_t> axes;
  if (node.constant(1) != nullptr && (node.constant(1)->size() > 0 || noop)) {
    const auto given = ConstantAxes(node, 1, 0, perm);
    if (!given) return false;
    axes = *given;
  } else if (!noop) {
    for (size_t i = 0; i < perm.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  }
  std::vector<bool> dropped(perm.size(), false);
  if (node.attributes.Int("keepdims", 1) == 0) {
    for (int64_t axis : axes) dropped[axis] = true;
  }
  if (!axes.empty()) SetAxes(graph, node, 1, axes, perm);
  graph.SetInput(&node, 0, SourceOf(node));
  return Finish(graph, node, DropAxes(perm, dropped));
}

absl::StatusOr<bool> SinkArg(Graph& graph, Node& node, const Perm& perm) {
  const int64_t axis = Resolved(node.attributes.Int("axis", 0), perm);
  std::vector<bool> dropped(perm.size(), false);
  dropped[axis] = node.attributes.Int("keepdims", 1) == 0;
  node.attributes.Set("axis", perm[axis]);
  graph.SetInput(&node, 0, SourceOf(node));
  return Finish(graph, node, DropAxes(perm, dropped));
}

absl::StatusOr<bool> SinkGather(Graph& graph, Node& node, const Perm& perm) {
  const Value* indices = node.input(1);
  if (indices->rank() != 0 && indices->rank() != 1) return false;
  const int64_t axis = Resolved(node.attributes.Int("axis", 0), perm);
  std::vector<bool> dropped(perm.size(), false);
  dropped[axis] = indices->rank() == 0;
  node.attributes.Set("axis", perm[axis]);
  graph.SetInput(&node, 0, SourceOf(node));
  return Finish(graph, node, DropAxes(perm, dropped));
}

// A number an axis as a constant input 1: Tile's repeats, Expand's shape.
absl::StatusOr<bool> SinkPerAxis(Graph& graph, Node& node, const Perm& perm) {
  const Tensor* numbers = node.constant(1);
  if (numbers == nullptr || numbers->size() != static_cast<int64_t>(perm.size())) return false;
  const std::vector<int64_t> given = numbers->ToInt64s();
  std::vector<int64_t> moved(given.size());
  for (size_t i = 0; i < given.size(); ++i) moved[perm[i]] = given[i];
  graph.SetInput(&node, 1, graph.AddConstant(node.output()->name + "_per_axis", Tensor::Int64s(moved)));
  graph.SetInput(&node, 0, SourceOf(node));
  return Finish(graph, node, perm);
}

absl::StatusOr<bool> SinkCumSum(Graph& graph, Node& node, const Perm& perm) {
  const Tensor* axis = node.constant(1);
  if (axis == nullptr || axis->size() != 1) return false;
  const int64_t moved = perm[Resolved(axis->ToInt64s()[0], perm)];
  graph.SetInput(&node, 1, graph.AddConstant(node.output()->name + "_axis", Tensor::From<int64_t>({}, {moved})));
  graph.SetInput(&node, 0, SourceOf(node));
  return Finish(graph, node, perm);
}

// Shape(Transpose(x)) = Gather(Shape(x), perm).
absl::StatusOr<bool> SinkShape(Graph& graph, Node& node, const Perm& perm) {
  if (node.attributes.Has("start") || node.attributes.Has("end")) return false;
  Value* indices = graph.AddConstant(node.output()->name + "_order", Tensor::Int64s(perm));
  ASSIGN_OR_RETURN(Node* const shape,
                   AddInferred(graph, OpKind::kShape, {SourceOf(node)}, node.output()->name + "_unordered", {}, &node));
  RETURN_IF_ERROR(Rewrite(graph, node, OpKind::kGather, {shape->output(), indices}, {}));
  return true;
}

constexpr SinkEntry kEntries[] = {
    {OpKind::kSoftmax, SinkAxis},           {OpKind::kLogSoftmax, SinkAxis},     {OpKind::kHardmax, SinkAxis},
    {OpKind::kLpNormalization, SinkAxis},   {OpKind::kSplit, SinkAxis},          {OpKind::kTopK, SinkAxis},
    {OpKind::kConcat, SinkConcat},          {OpKind::kSlice, SinkSlice},         {OpKind::kPad, SinkPad},
    {OpKind::kReduceMean, SinkReduce},      {OpKind::kReduceSum, SinkReduce},    {OpKind::kReduceMax, SinkReduce},
    {OpKind::kReduceMin, SinkReduce},       {OpKind::kReduceProd, SinkReduce},   {OpKind::kReduceL1, SinkReduce},
    {OpKind::kReduceL2, SinkReduce},        {OpKind::kReduceLogSum, SinkReduce}, {OpKind::kReduceLogSumExp, SinkReduce},
    {OpKind::kReduceSumSquare, SinkReduce}, {OpKind::kArgMax, SinkArg},          {OpKind::kArgMin, SinkArg},
    {OpKind::kGather, SinkGather},          {OpKind::kTile, SinkPerAxis},        {OpKind::kExpand, SinkPerAxis},
    {OpKind::kCumSum, SinkCumSum},          {OpKind::kShape, SinkShape},
};

}  // namespace

std::span<const SinkEntry> AxisSinks() { return kEntries; }

}  // namespace slipway::layout
