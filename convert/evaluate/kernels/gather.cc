// Gather, GatherElements, GatherND, ScatterND, NonZero, OneHot.
#include <algorithm>

#include "convert/evaluate/kernels/kernels.h"

namespace slipway::evaluate {
namespace {

absl::StatusOr<Results> EvaluateGather(const Call& call) {
  const Tensor& data = call[0];
  ASSIGN_OR_RETURN(const int64_t axis, call.Axis(call.node.attributes.Int("axis", 0), data.rank()));
  std::vector<int64_t> shape(data.shape().begin(), data.shape().begin() + axis);
  shape.insert(shape.end(), call[1].shape().begin(), call[1].shape().end());
  shape.insert(shape.end(), data.shape().begin() + axis + 1, data.shape().end());
  ASSIGN_OR_RETURN(auto allocated, call.Allocate(data.type(), shape));
  const int64_t outer = ElementCount({data.shape().begin(), data.shape().begin() + axis});
  const size_t inner =
      static_cast<size_t>(ElementCount({data.shape().begin() + axis + 1, data.shape().end()})) * SizeOf(data.type());
  const int64_t size = data.shape()[axis];
  std::vector<int64_t> indices = call[1].ToInt64s();
  for (int64_t& index : indices) {
    if (index < -size || index >= size) return call.Error("index {} of an axis of {}", index, size);
    if (index < 0) index += size;
  }
  std::byte* out = allocated.second.data();
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t index : indices) {
      if (inner > 0) std::memcpy(out, data.bytes().data() + static_cast<size_t>(o * size + index) * inner, inner);
      out += inner;
    }
  }
  return Results{allocated.first};
}

absl::StatusOr<Results> EvaluateGatherElements(const Call& call) {
  const Tensor &data = call[0], &indices = call[1];
  if (indices.rank() != data.rank())
    return call.Error("indices of rank {}, data of rank {}", indices.rank(), data.rank());
  ASSIGN_OR_RETURN(const int64_t axis, call.Axis(call.node.attributes.Int("axis", 0), data.rank()));
  for (int64_t i = 0; i < data.rank(); ++i) {
    if (i != axis && indices.shape()[i] > data.shape()[i])
      return call.Error("indices of shape {} reach past {}", ToString(indices.shape()), ToString(data.shape()));
  }
  ASSIGN_OR_RETURN(auto allocated, call.Allocate(data.type(), indices.shape()));
  const std::vector<int64_t> values = indices.ToInt64s();
  const size_t element = SizeOf(data.type());
  const int64_t size = data.shape()[axis];
  for (int64_t i = 0; i < indices.size(); ++i) {
    int64_t offset = 0, stride = 1, rest = i;
    for (int64_t d = data.rank() - 1; d >= 0; --d) {
      int64_t at = rest % indices.shape()[d];
      rest /= indices.shape()[d];
      if (d == axis) {
        at = values[i] < 0 ? values[i] + size : values[i];
        if (at < 0 || at >= size) return call.Error("index {} of an axis of {}", values[i], size);
      }
      offset += at * stride;
      stride *= data.shape()[d];
    }
    std::memcpy(allocated.second.data() + static_cast<size_t>(i) * element,
                data.bytes().data() + static_cast<size_t>(offset) * element, element);
  }
  return Results{allocated.first};
}

// Offsets (in rows of data's inner axes) that an indices tensor of depth `depth` names after `batch` shared axes.
absl::StatusOr<std::vector<int64_t>> RowOffsets(const Call& call, const Tensor& data, const Tensor& indices,
                                                int64_t batch) {
  const int64_t depth = indices.shape().back();
  const std::vector<int64_t> values = indices.ToInt64s();
  const int64_t batches = ElementCount({indices.shape().begin(), indices.shape().begin() + batch});
  const int64_t rows = depth == 0 ? 0 : indices.size() / depth;
  std::vector<int64_t> offsets;
  for (int64_t row = 0; row < rows; ++row) {
    int64_t offset = batches > 0 ? row / std::max<int64_t>(1, rows / batches) : 0;
    for (int64_t d = 0; d < depth; ++d) {
      const int64_t size = data.shape()[batch + d];
      int64_t at = values[row * depth + d];
      if (at < -size || at >= size) return call.Error("index {} of an axis of {}", at, size);
      offset = offset * size + (at < 0 ? at + size : at);
    }
    offsets.push_back(offset);
  }
  return offsets;
}

absl::StatusOr<Results> EvaluateGatherNd(const Call& call) {
  const Tensor &data = call[0], &indices = call[1];
  const int64_t batch = call.node.attributes.Int("batch_dims", 0);
  if (indices.rank() == 0 || batch < 0 || batch >= indices.rank() || indices.shape().back() < 1 ||
      batch + indices.shape().back() > data.rank()) {
    return call.Error("indices of shape {} do not index data of shape {}", ToString(indices.shape()),
                      ToString(data.shape()));
  }
  const int64_t depth = indices.shape().back();
  std::vector<int64_t> shape(indices.shape().begin(), indices.shape().end() - 1);
  shape.insert(shape.end(), data.shape().begin() + batch + depth, data.shape().end());
  ASSIGN_OR_RETURN(auto allocated, call.Allocate(data.type(), shape));
  ASSIGN_OR_RETURN(const std::vector<int64_t> offsets, RowOffsets(call, data, indices, batch));
  const size_t inner = static_cast<size_t>(ElementCount({data.shape().begin() + batch + depth, data.shape().end()})) *
                       SizeOf(data.type());
  for (size_t i = 0; i < offsets.size() && inner > 0; ++i) {
    std::memcpy(allocated.second.data() + i * inner, data.bytes().data() + static_cast<size_t>(offsets[i]) * inner,
                inner);
  }
  return Results{allocated.first};
}

absl::StatusOr<Results> EvaluateScatterNd(const Call& call) {
  const Tensor &data = call[0], &indices = call[1], &updates = call[2];
  if (call.node.attributes.String("reduction", "none") != "none")
    return Unimplemented("{}: no constant evaluation with a reduction", Describe(call.node));
  if (indices.rank() == 0 || indices.shape().back() < 1 || indices.shape().back() > data.rank() ||
      updates.type() != data.type()) {
    return call.Error("indices of shape {} do not index data of shape {}", ToString(indices.shape()),
                      ToString(data.shape()));
  }
  ASSIGN_OR_RETURN(const std::vector<int64_t> offsets, RowOffsets(call, data, indices, 0));
  const size_t inner =
      static_cast<size_t>(ElementCount({data.shape().begin() + indices.shape().back(), data.shape().end()})) *
      SizeOf(data.type());
  if (updates.bytes().size() != offsets.size() * inner)
    return call.Error("updates of shape {} do not fit", ToString(updates.shape()));
  ASSIGN_OR_RETURN(auto allocated, call.Allocate(data.type(), data.shape()));
  std::copy(data.bytes().begin(), data.bytes().end(), allocated.second.begin());
  for (size_t i = 0; i < offsets.size() && inner > 0; ++i) {
    std::memcpy(allocated.second.data() + static_cast<size_t>(offsets[i]) * inner, updates.bytes().data() + i * inner,
                inner);
  }
  return Results{allocated.first};
}

absl::StatusOr<Results> EvaluateNonZero(const Call& call) {
  const Tensor& data = call[0];
  const std::vector<double> values = data.ToDoubles();
  std::vector<int64_t> hits;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] != 0) hits.push_back(static_cast<int64_t>(i));
  }
  const int64_t rank = data.rank(), count = static_cast<int64_t>(hits.size());
  std::vector<int64_t> out(static_cast<size_t>(rank * count));
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = hits[i];
    for (int64_t d = rank - 1; d >= 0; --d) {
      out[d * count + i] = rest % data.shape()[d];
      rest /= data.shape()[d];
    }
  }
  return Results{Tensor::From<int64_t>({rank, count}, out)};
}

constexpr Entry kEntries[] = {
    {OpKind::kGather, EvaluateGather},     {OpKind::kGatherElements, EvaluateGatherElements},
    {OpKind::kGatherND, EvaluateGatherNd}, {OpKind::kScatterND, EvaluateScatterNd},
    {OpKind::kNonZero, EvaluateNonZero},
};

}  // namespace

std::span<const Entry> GatherKernels() { return kEntries; }

}  // namespace slipway::evaluate
