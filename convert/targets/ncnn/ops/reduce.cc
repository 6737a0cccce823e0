// Reduction, CumulativeSum.
#include <algorithm>

#include "common/base/error.h"
#include "convert/targets/ncnn/ops/ops.h"
#include "convert/targets/target.h"

namespace slipway::ncnn {
namespace {

struct Operation {
  OpKind kind;
  int64_t type;
};
constexpr Operation kOperations[] = {
    {OpKind::kReduceSum, 0},    {OpKind::kReduceSumSquare, 2},  {OpKind::kReduceMean, 3}, {OpKind::kReduceMax, 4},
    {OpKind::kReduceMin, 5},    {OpKind::kReduceProd, 6},       {OpKind::kReduceL1, 7},   {OpKind::kReduceL2, 8},
    {OpKind::kReduceLogSum, 9}, {OpKind::kReduceLogSumExp, 10},
};

// Of the input's axes, sorted; all when none are given.
std::vector<int64_t> AxesOf(const Node& node) {
  const int64_t rank = node.input(0)->rank();
  std::vector<int64_t> axes = node.constant(1) != nullptr ? node.constant(1)->ToInt64s() : std::vector<int64_t>{};
  if (axes.empty() && node.attributes.Int("noop_with_empty_axes", 0) == 0) {
    for (int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  }
  for (int64_t& axis : axes) axis += axis < 0 ? rank : 0;
  std::ranges::sort(axes);
  return axes;
}

absl::Status Check(const Node& node) {
  if (node.input(1) != nullptr && node.constant(1) == nullptr)
    return Unsupported(node, "computed axes", "NCNN's Reduction has them as parameters");
  if (node.input(0)->rank() == 0) return Unsupported(node, "a scalar", "there is nothing to reduce");
  return absl::OkStatus();
}

absl::Status Emit(const Node& node, Emitter& emitter) {
  const Value* x = node.input(0);
  std::vector<int64_t> axes = AxesOf(node);
  // The batch is of size 1: leaving it out of the axes changes nothing, as long as others remain.
  const bool drop = DropsBatch(*x) && axes != std::vector<int64_t>{0};
  if (drop) {
    std::erase(axes, 0);
    for (int64_t& axis : axes) --axis;
  }
  const Shape in = drop ? BlobShape(*x) : FullShape(*x);
  Shape kept = in, removed;
  for (size_t axis = 0; axis < in.size(); ++axis) {
    if (std::ranges::find(axes, static_cast<int64_t>(axis)) != axes.end()) {
      kept[axis] = 1;
    } else {
      removed.push_back(in[axis]);
    }
  }
  if (removed.empty()) removed.push_back(1);
  const bool keep = removed != BlobShape(*node.output());
  const int64_t type = std::ranges::find(kOperations, node.kind, &Operation::kind)->type;
  return emitter.Layer("Reduction", node, {{x, in}}, {{node.output(), keep ? kept : removed}},
                       {{0, type}, {1, int64_t{0}}, {3, axes}, {4, int64_t{keep}}, {5, int64_t{1}}});
}

// Of the blob.
int64_t CumSumAxis(const Node& node) {
  const int64_t given = node.constant(1)->ToInt64s()[0];
  const int64_t axis = given < 0 ? given + node.input(0)->rank() : given;
  return axis - (DropsBatch(*node.input(0)) ? 1 : 0);
}

absl::Status CheckCumSum(const Node& node) {
  if (node.constant(1) == nullptr)
    return Unsupported(node, "a computed axis", "NCNN's CumulativeSum has it as a parameter");
  if (node.attributes.Int("exclusive", 0) != 0 || node.attributes.Int("reverse", 0) != 0)
    return Unsupported(node, "an exclusive or reverse sum", "NCNN's CumulativeSum has neither");
  if (CumSumAxis(node) < 0) return Unsupported(node, "a sum over the batch", "NCNN's blobs hold one sample");
  if (BlobShape(*node.input(0)).size() > 3) return Unsupported(node, "four axes", "NCNN's CumulativeSum takes three");
  return absl::OkStatus();
}

absl::Status EmitCumSum(const Node& node, Emitter& emitter) {
  return emitter.Layer("CumulativeSum", node, {node.input(0)}, {node.output()}, {{0, CumSumAxis(node)}});
}

}  // namespace

std::span<const OpEmitter> ReduceOps() {
  static constexpr OpEmitter kOps[] = {
      {OpKind::kReduceSum, Check, Emit},          {OpKind::kReduceSumSquare, Check, Emit},
      {OpKind::kReduceMean, Check, Emit},         {OpKind::kReduceMax, Check, Emit},
      {OpKind::kReduceMin, Check, Emit},          {OpKind::kReduceProd, Check, Emit},
      {OpKind::kReduceL1, Check, Emit},           {OpKind::kReduceL2, Check, Emit},
      {OpKind::kReduceLogSum, Check, Emit},       {OpKind::kReduceLogSumExp, Check, Emit},
      {OpKind::kCumSum, CheckCumSum, EmitCumSum},
  };
  return kOps;
}

}  // namespace slipway::ncnn
