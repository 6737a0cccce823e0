// Slice, Split, Concat, Pad, Expand, Tile, Trilu.
#include <algorithm>
#include <numeric>

#include "convert/evaluate/kernels/kernels.h"

namespace slipway::evaluate {
namespace {

using Maps = std::vector<std::vector<int64_t>>;

Maps IdentityMaps(const Tensor& data) {
  Maps maps;
  for (int64_t size : data.shape()) {
    maps.emplace_back(static_cast<size_t>(size));
    std::iota(maps.back().begin(), maps.back().end(), 0);
  }
  return maps;
}

absl::StatusOr<Results> EvaluateSlice(const Call& call) {
  const Tensor& data = call[0];
  const std::vector<int64_t> starts = call[1].ToInt64s(), ends = call[2].ToInt64s();
  std::vector<int64_t> axes(starts.size()), steps(starts.size(), 1);
  std::iota(axes.begin(), axes.end(), 0);
  if (call.Has(3)) axes = call[3].ToInt64s();
  if (call.Has(4)) steps = call[4].ToInt64s();
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size()) {
    return call.Error("starts, ends, axes and steps of different lengths");
  }
  Maps maps = IdentityMaps(data);
  for (size_t i = 0; i < axes.size(); ++i) {
    ASSIGN_OR_RETURN(const int64_t axis, call.Axis(axes[i], data.rank()));
    const int64_t size = data.shape()[axis], step = steps[i];
    if (step == 0) return call.Error("step 0");
    const auto clamp = [&](int64_t at) {
      if (at < 0) at = std::max(at, -size - 1) + size;
      return step > 0 ? std::clamp<int64_t>(at, 0, size) : std::clamp<int64_t>(at, -1, size - 1);
    };
    std::vector<int64_t> map;
    const int64_t last = clamp(ends[i]);
    for (int64_t at = clamp(starts[i]); step > 0 ? at < last : at > last;) {
      map.push_back(at);
      // A step may be as large as an integer can be.
      if (step > 0 ? step > last - at : step < last - at) break;
      at += step;
    }
    maps[axis] = std::move(map);
  }
  ASSIGN_OR_RETURN(Tensor result, TakeAxes(call, data, maps));
  return Results{std::move(result)};
}

absl::StatusOr<Results> EvaluateSplit(const Call& call) {
  const Tensor& data = call[0];
  ASSIGN_OR_RETURN(const int64_t axis, call.Axis(call.node.attributes.Int("axis", 0), data.rank()));
  const int64_t size = data.shape()[axis], count = static_cast<int64_t>(call.node.outputs.size());
  std::vector<int64_t> sizes;
  if (call.Has(1)) {
    sizes = call[1].ToInt64s();
  } else {
    const int64_t parts = std::max<int64_t>(1, call.node.attributes.Int("num_outputs", count));
    const int64_t chunk = (size + parts - 1) / parts;
    for (int64_t i = 0; i < parts; ++i) sizes.push_back(i + 1 < parts ? chunk : size - chunk * (parts - 1));
  }
  if (static_cast<int64_t>(sizes.size()) < count ||
      std::any_of(sizes.begin(), sizes.end(), [](int64_t s) { return s < 0; }) ||
      std::accumulate(sizes.begin(), sizes.end(), int64_t{0}) != size) {
    return call.Error("sizes {} do not split axis {} of {}", ToString(sizes), axis, size);
  }
  Results results;
  int64_t begin = 0;
  for (int64_t i = 0; i < count; ++i) {
    Maps maps = IdentityMaps(data);
    maps[axis].resize(static_cast<size_t>(sizes[i]));
    std::iota(maps[axis].begin(), maps[axis].end(), begin);
    begin += sizes[i];
    ASSIGN_OR_RETURN(Tensor part, TakeAxes(call, data, maps));
    results.push_back(std::move(part));
  }
  return results;
}

absl::StatusOr<Results> EvaluateConcat(const Call& call) {
  ASSIGN_OR_RETURN(const int64_t axis, call.Axis(call.node.attributes.Int("axis", 0), call[0].rank()));
  std::vector<int64_t> shape = call[0].shape();
  for (size_t i = 1; i < call.inputs.size(); ++i) {
    std::vector<int64_t> other = call[i].shape();
    if (call[i].type() != call[0].type() || other.size() != shape.size())
      return call.Error("input {} does not fit input 0", i);
    shape[axis] += other[axis];
    other[axis] = shape[axis];
    if (other != shape)
      return call.Error("input {} of shape {} does not fit {}", i, ToString(call[i].shape()),
                        ToString(call[0].shape()));
  }
  ASSIGN_OR_RETURN(auto allocated, call.Allocate(call[0].type(), shape));
  const size_t element = SizeOf(call[0].type());
  const int64_t outer = ElementCount({shape.begin(), shape.begin() + axis});
  const int64_t inner = ElementCount({shape.begin() + axis + 1, shape.end()});
  std::byte* out = allocated.second.data();
  for (int64_t o = 0; o < outer; ++o) {
    for (const Tensor& input : call.inputs) {
      const size_t bytes = static_cast<size_t>(input.shape()[axis] * inner) * element;
      if (bytes > 0) std::memcpy(out, input.bytes().data() + static_cast<size_t>(o) * bytes, bytes);
      out += bytes;
    }
  }
  return Results{allocated.first};
}

// Source index of a padded position; -1: the fill value.
int64_t PadIndex(int64_t at, int64_t size, std::string_view mode) {
  if (at >= 0 && at < size) return at;
  if (mode == "constant" || size == 0) return -1;
  if (mode == "edge") return std::clamp<int64_t>(at, 0, size - 1);
  if (mode == "wrap") return ((at % size) + size) % size;
  if (size == 1) return 0;
  const int64_t period = 2 * (size - 1);
  const int64_t phase = ((at % period) + period) % period;
  return phase < size ? phase : period - phase;
}

absl::StatusOr<Results> EvaluatePad(const Call& call) {
  const Tensor& data = call[0];
  const std::vector<int64_t> pads = call[1].ToInt64s();
  std::vector<int64_t> axes(data.shape().size());
  std::iota(axes.begin(), axes.end(), 0);
  if (call.Has(3)) axes = call[3].ToInt64s();
  if (pads.size() != 2 * axes.size()) return call.Error("{} pads for {} axes", pads.size(), axes.size());
  const std::string mode = call.node.attributes.String("mode", "constant");
  Maps maps = IdentityMaps(data);
  for (size_t i = 0; i < axes.size(); ++i) {
    ASSIGN_OR_RETURN(const int64_t axis, call.Axis(axes[i], data.rank()));
    const int64_t size = data.shape()[axis], begin = pads[i], end = pads[i + axes.size()];
    if (std::abs(begin) > call.max_bytes || std::abs(end) > call.max_bytes) {
      return ResourceExhausted("{}: pads {} pass the limit of {} bytes", Describe(call.node), ToString(pads),
                               call.max_bytes);
    }
    std::vector<int64_t> map;
    for (int64_t at = -begin; at < size + end; ++at) map.push_back(PadIndex(at, size, mode));
    maps[axis] = std::move(map);
  }
  std::span<const std::byte> fill;
  if (call.Has(2) && call[2].size() == 1) fill = call[2].bytes();
  ASSIGN_OR_RETURN(Tensor result, TakeAxes(call, data, maps, fill));
  return Results{std::move(result)};
}

absl::StatusOr<Results> EvaluateExpand(const Call& call) {
  ASSIGN_OR_RETURN(const std::vector<int64_t> shape, BroadcastShape(call, call[0].shape(), call[1].ToInt64s()));
  ASSIGN_OR_RETURN(auto allocated, call.Allocate(call[0].type(), shape));
  const size_t element = SizeOf(call[0].type());
  BroadcastOffsets at(call[0].shape(), shape);
  for (int64_t i = 0; i < allocated.first.size(); ++i, at.Next()) {
    std::memcpy(allocated.second.data() + static_cast<size_t>(i) * element,
                call[0].bytes().data() + static_cast<size_t>(at.offset()) * element, element);
  }
  return Results{allocated.first};
}

absl::StatusOr<Results> EvaluateTile(const Call& call) {
  const std::vector<int64_t> repeats = call[1].ToInt64s();
  if (static_cast<int64_t>(repeats.size()) != call[0].rank())
    return call.Error("{} repeats for rank {}", repeats.size(), call[0].rank());
  std::vector<int64_t> shape = call[0].shape();
  for (size_t i = 0; i < shape.size(); ++i) {
    if (repeats[i] < 0 || repeats[i] > call.max_bytes || (shape[i] != 0 && repeats[i] > call.max_bytes / shape[i])) {
      return ResourceExhausted("{}: repeats {} pass the limit of {} bytes", Describe(call.node), ToString(repeats),
                               call.max_bytes);
    }
    shape[i] *= repeats[i];
  }
  Maps maps;
  for (size_t i = 0; i < shape.size(); ++i) {
    maps.emplace_back();
    for (int64_t at = 0; at < shape[i]; ++at) maps.back().push_back(at % call[0].shape()[i]);
  }
  ASSIGN_OR_RETURN(Tensor result, TakeAxes(call, call[0], maps));
  return Results{std::move(result)};
}

absl::StatusOr<Results> EvaluateTrilu(const Call& call) {
  const Tensor& data = call[0];
  if (data.rank() < 2) return call.Error("data of rank {}", data.rank());
  const bool upper = call.node.attributes.Int("upper", 1) != 0;
  const int64_t k = call.Has(1) ? call[1].ToInt64s()[0] : 0;
  const int64_t rows = data.shape()[data.rank() - 2], columns = data.shape()[data.rank() - 1];
  ASSIGN_OR_RETURN(auto allocated, call.Allocate(data.type(), data.shape()));
  const size_t element = SizeOf(data.type());
  for (int64_t i = 0; i < data.size(); ++i) {
    const int64_t row = i / columns % rows, column = i % columns;
    if (upper ? column - row < k : column - row > k) continue;
    std::memcpy(allocated.second.data() + static_cast<size_t>(i) * element,
                data.bytes().data() + static_cast<size_t>(i) * element, element);
  }
  return Results{allocated.first};
}

constexpr Entry kEntries[] = {
    {OpKind::kSlice, EvaluateSlice}, {OpKind::kSplit, EvaluateSplit},   {OpKind::kConcat, EvaluateConcat},
    {OpKind::kPad, EvaluatePad},     {OpKind::kExpand, EvaluateExpand}, {OpKind::kTile, EvaluateTile},
    {OpKind::kTrilu, EvaluateTrilu},
};

}  // namespace

std::span<const Entry> MovementKernels() { return kEntries; }

}  // namespace slipway::evaluate
