// Reductions, ArgMax/ArgMin, CumSum, TopK.
#include "convert/passes/shapes/infer.h"

namespace slipway::shapes {
namespace {

absl::Status InferReduce(Inference& in) {
  if (!in.HasShape(0)) return in.Unranked();
  const Shape& data = in.shape(0);
  const bool keep = in.node.attributes.Int("keepdims", 1) != 0;
  std::vector<bool> reduced(data.size(), true);
  if (in.Has(1)) {
    const std::optional<std::vector<int64_t>> axes = in.Numbers(1);
    if (!axes) {
      if (!keep) return in.Unranked();
      return in.Set(0, in.type(0), UnknownShape(data.size()));
    }
    if (!axes->empty() || in.node.attributes.Int("noop_with_empty_axes", 0) != 0) {
      std::fill(reduced.begin(), reduced.end(), false);
      ASSIGN_OR_RETURN(const std::vector<int64_t> resolved, in.Axes(*axes, in.rank(0)));
      for (int64_t axis : resolved) reduced[axis] = true;
    }
  } else if (in.node.attributes.Int("noop_with_empty_axes", 0) != 0) {
    std::fill(reduced.begin(), reduced.end(), false);
  }
  Shape out;
  for (size_t i = 0; i < data.size(); ++i) {
    if (!reduced[i]) {
      out.push_back(data[i]);
    } else if (keep) {
      out.push_back(Dim(1));
    }
  }
  return in.Set(0, in.type(0), std::move(out));
}

absl::Status InferArg(Inference& in) {
  if (!in.HasShape(0)) return in.SetUnranked(0, DataType::kInt64);
  ASSIGN_OR_RETURN(const int64_t axis, in.Axis(in.node.attributes.Int("axis", 0), in.rank(0)));
  Shape out = in.shape(0);
  if (in.node.attributes.Int("keepdims", 1) != 0) {
    out[axis] = Dim(1);
  } else {
    out.erase(out.begin() + axis);
  }
  return in.Set(0, DataType::kInt64, std::move(out));
}

absl::Status InferCumSum(Inference& in) {
  if (!in.HasShape(0)) return in.Unranked();
  return in.Set(0, in.type(0), in.shape(0));
}

absl::Status InferTopK(Inference& in) {
  if (!in.HasShape(0)) {
    RETURN_IF_ERROR(in.SetUnranked(1, DataType::kInt64));
    return in.SetUnranked(0, in.type(0));
  }
  ASSIGN_OR_RETURN(const int64_t axis, in.Axis(in.node.attributes.Int("axis", -1), in.rank(0)));
  Shape out = in.shape(0);
  const std::optional<std::vector<Dim>> k = in.Values(1);
  if (k && k->size() != 1) return in.Error("k has {} elements", k->size());
  out[axis] = k ? (*k)[0] : Dim::Unknown();
  RETURN_IF_ERROR(in.Set(1, DataType::kInt64, out));
  return in.Set(0, in.type(0), std::move(out));
}

constexpr Entry kEntries[] = {
    {OpKind::kReduceMean, InferReduce},
    {OpKind::kReduceSum, InferReduce},
    {OpKind::kReduceMax, InferReduce},
    {OpKind::kReduceMin, InferReduce},
    {OpKind::kReduceProd, InferReduce},
    {OpKind::kReduceL1, InferReduce},
    {OpKind::kReduceL2, InferReduce},
    {OpKind::kReduceLogSum, InferReduce},
    {OpKind::kReduceLogSumExp, InferReduce},
    {OpKind::kReduceSumSquare, InferReduce},
    {OpKind::kArgMax, InferArg},
    {OpKind::kArgMin, InferArg},
    {OpKind::kCumSum, InferCumSum},
    {OpKind::kTopK, InferTopK},
};

}  // namespace

std::span<const Entry> ReduceFunctions() { return kEntries; }

}  // namespace slipway::shapes
