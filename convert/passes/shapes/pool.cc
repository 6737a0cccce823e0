// MaxPool, AveragePool, LpPool and the global pools.
#include "convert/ir/spatial.h"
#include "convert/passes/shapes/infer.h"

namespace slipway::shapes {
namespace {

absl::Status InferPool(Inference& in) {
  if (!in.HasShape(0)) {
    if (in.node.output(1) != nullptr) RETURN_IF_ERROR(in.SetUnranked(1, DataType::kInt64));
    return in.SetUnranked(0, in.type(0));
  }
  const Shape& data = in.shape(0);
  if (data.size() < 3) return in.Error("data of rank {}; a pool needs rank ≥ 3", data.size());
  const size_t spatial_rank = data.size() - 2;
  const int64_t channel_axis = ChannelAxis(in.node, in.rank(0));
  const size_t first = channel_axis == 1 ? 2 : 1;
  Shape out(data.size());
  out[0] = data[0];
  out[channel_axis] = data[channel_axis];
  if (in.node.attributes.String("auto_pad", "NOTSET").starts_with("SAME")) {
    const std::vector<int64_t> strides = in.node.attributes.Ints("strides", std::vector<int64_t>(spatial_rank, 1));
    if (strides.size() != spatial_rank) return in.Error("{} strides for {} spatial axes", strides.size(), spatial_rank);
    for (size_t i = 0; i < spatial_rank; ++i) {
      if (strides[i] < 1) return in.Error("stride {} is not positive", strides[i]);
      out[first + i] = CeilDiv(data[first + i], strides[i]);
    }
  } else {
    ASSIGN_OR_RETURN(const SpatialParams p, ReadSpatialParams(in.node));
    for (size_t i = 0; i < spatial_rank; ++i) {
      out[first + i] = PooledSize(data[first + i], p.kernel[i], p.strides[i], p.dilations[i], p.pads_begin[i],
                                  p.pads_end[i], p.ceil_mode);
      if (out[first + i].IsKnown() && out[first + i].value() < 0) {
        return in.Error("the window of {} is larger than the padded data of {}", p.kernel[i],
                        data[first + i].ToString());
      }
    }
  }
  if (in.node.output(1) != nullptr) RETURN_IF_ERROR(in.Set(1, DataType::kInt64, out));
  return in.Set(0, in.type(0), std::move(out));
}

absl::Status InferGlobalPool(Inference& in) {
  if (!in.HasShape(0)) return in.Unranked();
  if (in.rank(0) < 2) return in.Error("data of rank {}; a global pool needs rank ≥ 2", in.rank(0));
  Shape out(in.shape(0).size(), Dim(1));
  const int64_t channel_axis = ChannelAxis(in.node, in.rank(0));
  out[0] = in.shape(0)[0];
  out[channel_axis] = in.shape(0)[channel_axis];
  return in.Set(0, in.type(0), std::move(out));
}

constexpr Entry kEntries[] = {
    {OpKind::kMaxPool, InferPool},
    {OpKind::kAveragePool, InferPool},
    {OpKind::kLpPool, InferPool},
    {OpKind::kGlobalAveragePool, InferGlobalPool},
    {OpKind::kGlobalMaxPool, InferGlobalPool},
    {OpKind::kGlobalLpPool, InferGlobalPool},
};

}  // namespace

std::span<const Entry> PoolFunctions() { return kEntries; }

}  // namespace slipway::shapes
