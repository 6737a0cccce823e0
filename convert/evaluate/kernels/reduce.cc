// Reductions, ArgMax, ArgMin, CumSum.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "convert/evaluate/kernels/kernels.h"

namespace slipway::evaluate {
namespace {

struct Grouped {
  std::vector<int64_t> shape;       // with reduced axes kept as 1
  std::vector<int64_t> kept_shape;  // as the node wants it
  std::vector<int64_t> group;       // of each element: index in the result
};

absl::StatusOr<Grouped> Group(const Call& call) {
  const Tensor& data = call[0];
  std::vector<bool> reduced(data.shape().size(), true);
  const bool noop = call.node.attributes.Int("noop_with_empty_axes", 0) != 0;
  const std::vector<int64_t> axes = call.Has(1) ? call[1].ToInt64s() : std::vector<int64_t>();
  if (!axes.empty() || noop) std::fill(reduced.begin(), reduced.end(), false);
  for (int64_t axis : axes) {
    ASSIGN_OR_RETURN(const int64_t resolved, call.Axis(axis, data.rank()));
    reduced[resolved] = true;
  }
  Grouped grouped;
  const bool keep = call.node.attributes.Int("keepdims", 1) != 0;
  for (size_t i = 0; i < reduced.size(); ++i) {
    grouped.shape.push_back(reduced[i] ? 1 : data.shape()[i]);
    if (!reduced[i] || keep) grouped.kept_shape.push_back(grouped.shape.back());
  }
  BroadcastOffsets at(grouped.shape, data.shape());
  for (int64_t i = 0; i < data.size(); ++i, at.Next()) grouped.group.push_back(at.offset());
  return grouped;
}

absl::StatusOr<Results> ReduceIntegers(const Call& call, const Grouped& grouped) {
  const OpKind kind = call.node.kind;
  const std::vector<int64_t> values = call[0].ToInt64s();
  const int64_t start = kind == OpKind::kReduceProd  ? 1
                        : kind == OpKind::kReduceMax ? std::numeric_limits<int64_t>::min()
                        : kind == OpKind::kReduceMin ? std::numeric_limits<int64_t>::max()
                                                     : 0;
  std::vector<int64_t> out(static_cast<size_t>(ElementCount(grouped.shape)), start), counts(out.size());
  for (size_t i = 0; i < values.size(); ++i) {
    int64_t& total = out[grouped.group[i]];
    ++counts[grouped.group[i]];
    const int64_t x = values[i];
    switch (kind) {
      case OpKind::kReduceSum:
      case OpKind::kReduceMean:
        total = static_cast<int64_t>(static_cast<uint64_t>(total) + static_cast<uint64_t>(x));
        break;
      case OpKind::kReduceProd:
        total = static_cast<int64_t>(static_cast<uint64_t>(total) * static_cast<uint64_t>(x));
        break;
      case OpKind::kReduceMax:
        total = std::max(total, x);
        break;
      case OpKind::kReduceMin:
        total = std::min(total, x);
        break;
      case OpKind::kReduceL1:
        total += std::abs(x);
        break;
      case OpKind::kReduceSumSquare:
        total =
            static_cast<int64_t>(static_cast<uint64_t>(total) + static_cast<uint64_t>(x) * static_cast<uint64_t>(x));
        break;
      default:
        return call.NoKernel(call[0].type());
    }
  }
  if (kind == OpKind::kReduceMean) {
    for (size_t i = 0; i < out.size(); ++i) out[i] = counts[i] == 0 ? 0 : out[i] / counts[i];
  }
  return Results{Tensor::From<int64_t>(grouped.kept_shape, out).Cast(call[0].type())};
}

absl::StatusOr<Results> EvaluateReduce(const Call& call) {
  const OpKind kind = call.node.kind;
  if (call[0].type() == DataType::kUInt64) return call.NoKernel(call[0].type());
  ASSIGN_OR_RETURN(const Grouped grouped, Group(call));
  if (!IsFloat(call[0].type())) return ReduceIntegers(call, grouped);
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<double> values = call[0].ToDoubles();
  const size_t groups = static_cast<size_t>(ElementCount(grouped.shape));
  const double start = kind == OpKind::kReduceProd  ? 1
                       : kind == OpKind::kReduceMax ? -infinity
                       : kind == OpKind::kReduceMin ? infinity
                                                    : 0;
  std::vector<double> out(groups, start), counts(groups), peaks(groups, -infinity);
  if (kind == OpKind::kReduceLogSumExp) {
    for (size_t i = 0; i < values.size(); ++i) peaks[grouped.group[i]] = std::max(peaks[grouped.group[i]], values[i]);
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t g = static_cast<size_t>(grouped.group[i]);
    const double x = values[i];
    ++counts[g];
    switch (kind) {
      case OpKind::kReduceProd:
        out[g] *= x;
        break;
      case OpKind::kReduceMax:
        out[g] = std::isnan(x) || out[g] < x ? x : out[g];
        break;
      case OpKind::kReduceMin:
        out[g] = std::isnan(x) || out[g] > x ? x : out[g];
        break;
      case OpKind::kReduceL1:
        out[g] += std::abs(x);
        break;
      case OpKind::kReduceL2:
      case OpKind::kReduceSumSquare:
        out[g] += x * x;
        break;
      case OpKind::kReduceLogSumExp:
        out[g] += std::isinf(peaks[g]) ? std::exp(x) : std::exp(x - peaks[g]);
        break;
      default:
        out[g] += x;
    }
  }
  for (size_t g = 0; g < groups; ++g) {
    if (kind == OpKind::kReduceMean) out[g] /= counts[g];
    if (kind == OpKind::kReduceL2) out[g] = std::sqrt(out[g]);
    if (kind == OpKind::kReduceLogSum) out[g] = std::log(out[g]);
    if (kind == OpKind::kReduceLogSumExp) out[g] = std::log(out[g]) + (std::isinf(peaks[g]) ? 0 : peaks[g]);
  }
  return Results{Tensor::From<double>(grouped.kept_shape, out).Cast(call[0].type())};
}

absl::StatusOr<Results> EvaluateArg(const Call& call) {
  const Tensor& data = call[0];
  ASSIGN_OR_RETURN(const int64_t axis, call.Axis(call.node.attributes.Int("axis", 0), data.rank()));
  const bool largest = call.node.kind == OpKind::kArgMax, last = call.node.attributes.Int("select_last_index", 0) != 0;
  const int64_t size = data.shape()[axis];
  if (size == 0) return call.Error("axis {} is empty", axis);
  const int64_t outer = ElementCount({data.shape().begin(), data.shape().begin() + axis});
  const int64_t inner = ElementCount({data.shape().begin() + axis + 1, data.shape().end()});
  const std::vector<double> values = data.ToDoubles();
  std::vector<int64_t> out;
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < inner; ++i) {
      int64_t best = 0;
      for (int64_t k = 1; k < size; ++k) {
        const double x = values[(o * size + k) * inner + i], y = values[(o * size + best) * inner + i];
        if ((largest ? x > y : x < y) || (last && x == y)) best = k;
      }
      out.push_back(best);
    }
  }
  std::vector<int64_t> shape = data.shape();
  if (call.node.attributes.Int("keepdims", 1) != 0) {
    shape[axis] = 1;
  } else {
    shape.erase(shape.begin() + axis);
  }
  return Results{Tensor::From<int64_t>(shape, out)};
}

absl::StatusOr<Results> EvaluateCumSum(const Call& call) {
  const Tensor& data = call[0];
  if (call[1].size() != 1) return call.Error("{} axes", call[1].size());
  ASSIGN_OR_RETURN(const int64_t axis, call.Axis(call[1].ToInt64s()[0], data.rank()));
  const bool exclusive = call.node.attributes.Int("exclusive", 0) != 0,
             reverse = call.node.attributes.Int("reverse", 0) != 0;
  const int64_t size = data.shape()[axis];
  const int64_t inner = ElementCount({data.shape().begin() + axis + 1, data.shape().end()});
  const auto run = [&](auto values) {
    auto out = values;
    for (size_t i = 0; i < values.size(); ++i) {
      const int64_t at = static_cast<int64_t>(i) / std::max<int64_t>(1, inner) % size;
      if (at != 0) continue;
      typename decltype(out)::value_type total = 0;
      for (int64_t k = 0; k < size; ++k) {
        const size_t element = i + static_cast<size_t>((reverse ? size - 1 - k : k) * inner);
        const auto before = total;
        if constexpr (std::is_integral_v<decltype(total)>) {  // wraps around
          total = static_cast<int64_t>(static_cast<uint64_t>(total) + static_cast<uint64_t>(values[element]));
        } else {
          total += values[element];
        }
        out[element] = exclusive ? before : total;
      }
    }
    return out;
  };
  if (IsFloat(data.type())) return Results{Tensor::From<double>(data.shape(), run(data.ToDoubles())).Cast(data.type())};
  return Results{Tensor::From<int64_t>(data.shape(), run(data.ToInt64s())).Cast(data.type())};
}

constexpr Entry kEntries[] = {
    {OpKind::kReduceMean, EvaluateReduce},
    {OpKind::kReduceSum, EvaluateReduce},
    {OpKind::kReduceMax, EvaluateReduce},
    {OpKind::kReduceMin, EvaluateReduce},
    {OpKind::kReduceProd, EvaluateReduce},
    {OpKind::kReduceL1, EvaluateReduce},
    {OpKind::kReduceL2, EvaluateReduce},
    {OpKind::kReduceLogSum, EvaluateReduce},
    {OpKind::kReduceLogSumExp, EvaluateReduce},
    {OpKind::kReduceSumSquare, EvaluateReduce},
    {OpKind::kArgMax, EvaluateArg},
    {OpKind::kArgMin, EvaluateArg},
    {OpKind::kCumSum, EvaluateCumSum},
};

}  // namespace

std::span<const Entry> ReduceKernels() { return kEntries; }

}  // namespace slipway::evaluate
