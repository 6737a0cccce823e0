// Shape, Size, ConstantOfShape, Range, EyeLike, OneHot.
#include <algorithm>
#include <cmath>

#include "convert/evaluate/kernels/kernels.h"
#include "convert/ir/cast.h"

namespace slipway::evaluate {
namespace {

absl::StatusOr<Results> EvaluateShape(const Call& call) {
  const int64_t rank = call[0].rank();
  int64_t start = call.node.attributes.Int("start", 0), end = call.node.attributes.Int("end", rank);
  start = std::clamp<int64_t>(start < 0 ? start + rank : start, 0, rank);
  end = std::clamp<int64_t>(end < 0 ? end + rank : end, 0, rank);
  if (start >= end) return Results{Tensor::Int64s({})};
  return Results{Tensor::Int64s({call[0].shape().begin() + start, call[0].shape().begin() + end})};
}

absl::StatusOr<Results> EvaluateSize(const Call& call) { return Results{Tensor::From<int64_t>({}, {call[0].size()})}; }

absl::StatusOr<Results> EvaluateConstantOfShape(const Call& call) {
  const Tensor* value = call.node.attributes.TensorOf("value");
  if (value != nullptr && value->size() != 1) return call.Error("a value of {} elements", value->size());
  ASSIGN_OR_RETURN(auto allocated,
                   call.Allocate(value != nullptr ? value->type() : DataType::kFloat32, call[0].ToInt64s()));
  if (value != nullptr) {
    const size_t element = SizeOf(value->type());
    for (size_t at = 0; at < allocated.second.size(); at += element)
      std::memcpy(allocated.second.data() + at, value->bytes().data(), element);
  }
  return Results{allocated.first};
}

absl::StatusOr<Results> EvaluateRange(const Call& call) {
  const DataType type = call[0].type();
  for (size_t i = 0; i < 3; ++i) {
    if (call[i].size() != 1) return call.Error("operand {} is no scalar", i);
  }
  const double start = call[0].ToDoubles()[0], limit = call[1].ToDoubles()[0], delta = call[2].ToDoubles()[0];
  if (delta == 0) return call.Error("delta is 0");
  const double steps = std::max(0.0, std::ceil((limit - start) / delta));
  if (!(steps < 1e15)) return call.Error("a range of {} numbers", steps);
  const int64_t count = static_cast<int64_t>(steps);
  ASSIGN_OR_RETURN(auto allocated, call.Allocate(IsFloat(type) ? DataType::kFloat64 : DataType::kInt64, {count}));
  for (int64_t i = 0; i < count; ++i) {
    const double real = start + static_cast<double>(i) * delta;
    const int64_t whole = call[0].ToInt64s()[0] + i * call[2].ToInt64s()[0];
    std::memcpy(allocated.second.data() + i * 8, IsFloat(type) ? static_cast<const void*>(&real) : &whole, 8);
  }
  return Results{allocated.first.Cast(type)};
}

absl::StatusOr<Results> EvaluateEyeLike(const Call& call) {
  if (call[0].rank() != 2) return call.Error("data of rank {}", call[0].rank());
  const DataType type =
      call.node.attributes.Has("dtype") ? ElementTypeOfCode(call.node.attributes.Int("dtype", 0)) : call[0].type();
  const int64_t k = call.node.attributes.Int("k", 0), rows = call[0].shape()[0], columns = call[0].shape()[1];
  ASSIGN_OR_RETURN(auto allocated, call.Allocate(DataType::kFloat32, {rows, columns}));
  const float one = 1;
  for (int64_t row = std::max<int64_t>(0, -k); row < rows && row + k < columns; ++row) {
    std::memcpy(allocated.second.data() + static_cast<size_t>(row * columns + row + k) * sizeof(one), &one,
                sizeof(one));
  }
  return Results{allocated.first.Cast(type)};
}

absl::StatusOr<Results> EvaluateOneHot(const Call& call) {
  if (call[1].size() != 1 || call[2].size() != 2)
    return call.Error("depth and values of {} and {} elements", call[1].size(), call[2].size());
  const int64_t depth = call[1].ToInt64s()[0], rank = call[0].rank() + 1;
  ASSIGN_OR_RETURN(const int64_t axis, call.Axis(call.node.attributes.Int("axis", -1), rank));
  std::vector<int64_t> shape = call[0].shape();
  shape.insert(shape.begin() + axis, depth);
  ASSIGN_OR_RETURN(auto allocated, call.Allocate(call[2].type(), shape));
  const int64_t inner = ElementCount({call[0].shape().begin() + axis, call[0].shape().end()});
  const std::vector<int64_t> indices = call[0].ToInt64s();
  const size_t element = SizeOf(call[2].type());
  for (int64_t i = 0; i < allocated.first.size(); ++i) {
    const int64_t class_index = i / inner % depth;
    int64_t hot = indices[i / (inner * depth) * inner + i % inner];
    if (hot < 0) hot += depth;
    std::memcpy(allocated.second.data() + static_cast<size_t>(i) * element,
                call[2].bytes().data() + (hot == class_index ? element : 0), element);
  }
  return Results{allocated.first};
}

constexpr Entry kEntries[] = {
    {OpKind::kShape, EvaluateShape},
    {OpKind::kSize, EvaluateSize},
    {OpKind::kConstantOfShape, EvaluateConstantOfShape},
    {OpKind::kRange, EvaluateRange},
    {OpKind::kEyeLike, EvaluateEyeLike},
    {OpKind::kOneHot, EvaluateOneHot},
};

}  // namespace

std::span<const Entry> SourceKernels() { return kEntries; }

}  // namespace slipway::evaluate
