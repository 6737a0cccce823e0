#include <algorithm>
#include <cstring>

#include "convert/evaluate/kernels/kernels.h"

namespace slipway::evaluate {

absl::StatusOr<std::pair<Tensor, std::span<std::byte>>> Call::Allocate(DataType type,
                                                                       std::vector<int64_t> shape) const {
  for (int64_t size : shape) {
    if (size < 0) return Error("a result of shape {}", ToString(shape));
  }
  const int64_t count = ElementCount(shape);
  if (count < 0) return Error("a result of shape {} has more elements than can be counted", ToString(shape));
  if (count > max_bytes / static_cast<int64_t>(std::max<size_t>(1, SizeOf(type)))) {
    return ResourceExhausted("{}: a result of shape {} is larger than {} bytes", Describe(node), ToString(shape),
                             max_bytes);
  }
  return Tensor::Allocate(type, std::move(shape));
}

absl::StatusOr<int64_t> Call::Axis(int64_t axis, int64_t rank) const {
  if (axis < -rank || axis >= rank) return Error("axis {} of a tensor of rank {}", axis, rank);
  return axis < 0 ? axis + rank : axis;
}

DataType ComputeType(DataType type) {
  switch (type) {
    case DataType::kFloat64:
    case DataType::kUInt64:
      return type;
    case DataType::kFloat32:
    case DataType::kFloat16:
    case DataType::kBFloat16:
      return DataType::kFloat32;
    default:
      return DataType::kInt64;
  }
}

absl::StatusOr<std::vector<int64_t>> BroadcastShape(const Call& call, const std::vector<int64_t>& a,
                                                    const std::vector<int64_t>& b) {
  std::vector<int64_t> out(std::max(a.size(), b.size()));
  for (size_t i = 0; i < out.size(); ++i) {
    const int64_t x = i < out.size() - a.size() ? 1 : a[i - (out.size() - a.size())];
    const int64_t y = i < out.size() - b.size() ? 1 : b[i - (out.size() - b.size())];
    if (x != y && x != 1 && y != 1) return call.Error("shapes {} and {} do not broadcast", ToString(a), ToString(b));
    out[i] = x == 1 ? y : x;
  }
  return out;
}

BroadcastOffsets::BroadcastOffsets(const std::vector<int64_t>& operand, const std::vector<int64_t>& result)
    : sizes_(result), strides_(result.size()), at_(result.size()) {
  int64_t stride = 1;
  for (size_t i = operand.size(); i-- > 0;) {
    strides_[i + result.size() - operand.size()] = operand[i] == 1 ? 0 : stride;
    stride *= operand[i];
  }
}

void BroadcastOffsets::Next() {
  for (size_t axis = sizes_.size(); axis-- > 0;) {
    offset_ += strides_[axis];
    if (++at_[axis] < sizes_[axis]) return;
    offset_ -= strides_[axis] * sizes_[axis];
    at_[axis] = 0;
  }
}

absl::StatusOr<Tensor> TakeAxes(const Call& call, const Tensor& data, const std::vector<std::vector<int64_t>>& maps,
                                std::span<const std::byte> fill) {
  const size_t rank = maps.size();
  std::vector<int64_t> shape, strides(rank);
  for (const std::vector<int64_t>& map : maps) shape.push_back(static_cast<int64_t>(map.size()));
  ASSIGN_OR_RETURN(auto allocated, call.Allocate(data.type(), shape));
  const size_t element = SizeOf(data.type());
  int64_t stride = 1;
  for (size_t i = rank; i-- > 0;) {
    strides[i] = stride;
    stride *= data.shape()[i];
  }
  std::byte* out = allocated.second.data();
  const std::byte* in = data.bytes().data();
  if (rank == 0) {
    std::memcpy(out, in, element);
    return allocated.first;
  }
  if (ElementCount(shape) == 0) return allocated.first;
  const std::vector<int64_t>& last = maps.back();
  std::vector<size_t> at(rank - 1, 0);
  while (true) {
    int64_t base = 0;
    bool filled = false;
    for (size_t i = 0; i + 1 < rank; ++i) {
      filled |= maps[i][at[i]] < 0;
      base += maps[i][at[i]] * strides[i];
    }
    for (int64_t index : last) {
      if (!filled && index >= 0) {
        std::memcpy(out, in + static_cast<size_t>(base + index) * element, element);
      } else if (!fill.empty()) {
        std::memcpy(out, fill.data(), element);
      }
      out += element;
    }
    size_t axis = rank - 1;
    while (axis > 0 && ++at[axis - 1] == maps[axis - 1].size()) at[--axis] = 0;
    if (axis == 0) return allocated.first;
  }
}

}  // namespace slipway::evaluate
