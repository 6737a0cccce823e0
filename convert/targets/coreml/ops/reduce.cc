#include "common/base/error.h"
#include "convert/targets/coreml/emit.h"

namespace slipway::coreml_writer {
namespace {

struct TypeOf {
  OpKind kind;
  std::string_view type;
};
constexpr TypeOf kTypes[] = {
    {OpKind::kReduceMean, "reduce_mean"},
    {OpKind::kReduceSum, "reduce_sum"},
    {OpKind::kReduceMax, "reduce_max"},
    {OpKind::kReduceMin, "reduce_min"},
    {OpKind::kReduceProd, "reduce_prod"},
    {OpKind::kReduceL1, "reduce_l1_norm"},
    {OpKind::kReduceL2, "reduce_l2_norm"},
    {OpKind::kReduceLogSum, "reduce_log_sum"},
    {OpKind::kReduceLogSumExp, "reduce_log_sum_exp"},
    {OpKind::kReduceSumSquare, "reduce_sum_square"},
};

constexpr std::string_view MilTypeOf(OpKind kind) {
  for (const TypeOf& row : kTypes) {
    if (row.kind == kind) return row.type;
  }
  return "";
}

absl::Status CheckReduce(const Node& node) {
  if (node.input(1) != nullptr && node.constant(1) == nullptr)
    return Unsupported(node, "its axes are computed", "give them as a constant");
  if (node.input(0)->type == DataType::kBool) return Unsupported(node, "reductions take numbers", "cast the input");
  if (node.input(0)->rank() == 0) return Unsupported(node, "reductions take at least one axis", "");
  return absl::OkStatus();
}

std::vector<int64_t> AxesOf(const Node& node) {
  std::vector<int64_t> axes;
  if (node.constant(1) != nullptr) axes = node.constant(1)->ToInt64s();
  if (axes.empty() && node.attributes.Int("noop_with_empty_axes", 0) == 0) {
    for (int64_t axis = 0; axis < node.input(0)->rank(); ++axis) axes.push_back(axis);
  }
  return axes;
}

template <OpKind kind>
void Reduce(const Node& node, Program& out) {
  const std::vector<int64_t> axes = AxesOf(node);
  if (axes.empty()) {
    out.Emit(node, "identity", {{"x", {out.Operand(node, 0)}}});
    return;
  }
  out.Emit(node, MilTypeOf(kind),
           {{"x", {out.Operand(node, 0)}},
            {"axes", {out.Ints(axes)}},
            {"keep_dims", {out.Bool(node.attributes.Int("keepdims", 1) != 0)}}});
}

template <OpKind kind>
void GlobalPool(const Node& node, Program& out) {
  std::vector<int64_t> axes;
  for (int64_t axis = 2; axis < node.input(0)->rank(); ++axis) axes.push_back(axis);
  out.Emit(node, MilTypeOf(kind),
           {{"x", {out.Operand(node, 0)}}, {"axes", {out.Ints(axes)}}, {"keep_dims", {out.Bool(true)}}});
}

absl::Status CheckArg(const Node& node) {
  if (node.attributes.Int("select_last_index", 0) != 0)
    return Unsupported(node, "among equals Core ML takes the first", "export without select_last_index");
  return absl::OkStatus();
}

void Arg(const Node& node, Program& out, std::string_view type) {
  out.Emit(node, type,
           {{"x", {out.Operand(node, 0)}},
            {"axis", {out.Int(node.attributes.Int("axis", 0))}},
            {"keep_dims", {out.Bool(node.attributes.Int("keepdims", 1) != 0)}}});
}

void ArgMax(const Node& node, Program& out) { Arg(node, out, "reduce_argmax"); }
void ArgMin(const Node& node, Program& out) { Arg(node, out, "reduce_argmin"); }

absl::Status CheckCumSum(const Node& node) {
  if (node.constant(1) == nullptr) return Unsupported(node, "its axis is computed", "give it as a constant");
  return absl::OkStatus();
}

void CumSum(const Node& node, Program& out) {
  const int64_t axis = node.constant(1)->ToInt64s().at(0);
  out.Emit(node, "cumsum",
           {{"x", {out.Operand(node, 0)}},
            {"axis", {out.Int(axis < 0 ? axis + node.input(0)->rank() : axis)}},
            {"exclusive", {out.Bool(node.attributes.Int("exclusive", 0) != 0)}},
            {"reverse", {out.Bool(node.attributes.Int("reverse", 0) != 0)}}});
}

absl::Status CheckTopK(const Node& node) {
  if (node.constant(1) == nullptr) return Unsupported(node, "its k is computed", "give it as a constant");
  return absl::OkStatus();
}

// Both results are named, also one that nobody reads.
void TopK(const Node& node, Program& out) {
  const Value* read = node.output(0) != nullptr ? node.output(0) : node.output(1);
  std::vector<std::pair<std::string, mil::ValueType>> outputs(2);
  for (size_t i = 0; i < 2; ++i) {
    FillType(i == 0 ? MilType(node.input(0)->type) : mil::INT32, *read->shape, outputs[i].second);
    outputs[i].first = node.output(i) != nullptr ? out.Name(*node.output(i)) : out.Fresh(out.Name(*read) + "_unread");
  }
  out.Operation("topk",
                {{"x", {out.Operand(node, 0)}},
                 {"k", {out.Int(node.constant(1)->ToInt64s().at(0))}},
                 {"axis", {out.Int(node.attributes.Int("axis", -1))}},
                 {"ascending", {out.Bool(node.attributes.Int("largest", 1) == 0)}}},
                outputs);
}

constexpr OpEmitter kEmitters[] = {
    {OpKind::kReduceMean, Reduce<OpKind::kReduceMean>, CheckReduce},
    {OpKind::kReduceSum, Reduce<OpKind::kReduceSum>, CheckReduce},
    {OpKind::kReduceMax, Reduce<OpKind::kReduceMax>, CheckReduce},
    {OpKind::kReduceMin, Reduce<OpKind::kReduceMin>, CheckReduce},
    {OpKind::kReduceProd, Reduce<OpKind::kReduceProd>, CheckReduce},
    {OpKind::kReduceL1, Reduce<OpKind::kReduceL1>, CheckReduce},
    {OpKind::kReduceL2, Reduce<OpKind::kReduceL2>, CheckReduce},
    {OpKind::kReduceLogSum, Reduce<OpKind::kReduceLogSum>, CheckReduce},
    {OpKind::kReduceLogSumExp, Reduce<OpKind::kReduceLogSumExp>, CheckReduce},
    {OpKind::kReduceSumSquare, Reduce<OpKind::kReduceSumSquare>, CheckReduce},
    {OpKind::kGlobalAveragePool, GlobalPool<OpKind::kReduceMean>},
    {OpKind::kGlobalMaxPool, GlobalPool<OpKind::kReduceMax>},
    {OpKind::kArgMax, ArgMax, CheckArg},
    {OpKind::kArgMin, ArgMin, CheckArg},
    {OpKind::kCumSum, CumSum, CheckCumSum},
    {OpKind::kTopK, TopK, CheckTopK},
};

}  // namespace

std::span<const OpEmitter> ReduceEmitters() { return kEmitters; }

}  // namespace slipway::coreml_writer
