// Conv, ConvTranspose.
#include "convert/ir/spatial.h"
#include "convert/passes/shapes/infer.h"

namespace slipway::shapes {
namespace {

bool IsSame(const Node& node) { return node.attributes.String("auto_pad", "NOTSET").starts_with("SAME"); }

// The kernel's sizes: kernel_shape, or the weight's.
absl::StatusOr<std::vector<int64_t>> Strides(const Inference& in, size_t spatial_rank) {
  std::vector<int64_t> strides = in.node.attributes.Ints("strides", std::vector<int64_t>(spatial_rank, 1));
  if (strides.size() != spatial_rank) return in.Error("{} strides for {} spatial axes", strides.size(), spatial_rank);
  for (int64_t stride : strides) {
    if (stride < 1) return in.Error("stride {} is not positive", stride);
  }
  return strides;
}

absl::Status InferConv(Inference& in) {
  if (!in.HasShape(0) || !in.HasShape(1)) return in.Unranked();
  const Shape& data = in.shape(0);
  const Shape& weight = in.shape(1);
  if (data.size() < 3 || weight.size() != data.size()) {
    return in.Error("data of rank {} and weights of rank {}; both need the same rank ≥ 3", data.size(), weight.size());
  }
  const int64_t channel_axis = ChannelAxis(in.node, in.rank(0));
  const int64_t groups = in.node.attributes.Int("group", 1);
  if (groups < 1) return in.Error("group {} is not positive", groups);
  const bool transposed = in.node.kind == OpKind::kConvTranspose;
  const Dim weight_channels = transposed ? weight[0] : weight[1] * Dim(groups);
  if (Contradict(data[channel_axis], weight_channels)) {
    return in.Error("data has {} channels, the weights take {}", data[channel_axis].ToString(),
                    weight_channels.ToString());
  }
  const Dim out_channels = transposed ? weight[1] * Dim(groups) : weight[0];
  if (!transposed && out_channels.IsKnown() && out_channels.value() % groups != 0) {
    return in.Error("{} output channels do not split into {} groups", out_channels.value(), groups);
  }
  const size_t spatial_rank = data.size() - 2;
  const size_t first = channel_axis == 1 ? 2 : 1;
  Shape out(data.size());
  out[0] = data[0];
  out[channel_axis] = out_channels;
  const bool dynamic_weight = !StaticShape(Shape(weight.begin() + 2, weight.end())).has_value();
  if (dynamic_weight && !in.node.attributes.Has("kernel_shape")) {
    for (size_t i = 0; i < spatial_rank; ++i) out[first + i] = Dim::Unknown();
    return in.Set(0, in.type(0), std::move(out));
  }
  ASSIGN_OR_RETURN(const std::vector<int64_t> strides, Strides(in, spatial_rank));
  if (transposed) {
    const std::vector<int64_t> output_shape = in.node.attributes.Ints("output_shape");
    if (!output_shape.empty() || IsSame(in.node)) {
      if (!output_shape.empty() && output_shape.size() < spatial_rank)
        return in.Error("output_shape has {} sizes", output_shape.size());
      const size_t skip = output_shape.empty() ? 0 : output_shape.size() - spatial_rank;
      for (size_t i = 0; i < spatial_rank; ++i) {
        out[first + i] = output_shape.empty() ? data[first + i] * Dim(strides[i]) : Dim(output_shape[skip + i]);
      }
      return in.Set(0, in.type(0), std::move(out));
    }
  } else if (IsSame(in.node)) {
    for (size_t i = 0; i < spatial_rank; ++i) out[first + i] = CeilDiv(data[first + i], strides[i]);
    return in.Set(0, in.type(0), std::move(out));
  }
  ASSIGN_OR_RETURN(const SpatialParams p, ReadSpatialParams(in.node));
  for (size_t i = 0; i < spatial_rank; ++i) {
    const Dim& size = data[first + i];
    if (transposed) {
      out[first + i] = (size - 1) * Dim(p.strides[i]) + Dim(p.output_padding[i] + (p.kernel[i] - 1) * p.dilations[i] +
                                                            1 - p.pads_begin[i] - p.pads_end[i]);
    } else {
      out[first + i] =
          PooledSize(size, p.kernel[i], p.strides[i], p.dilations[i], p.pads_begin[i], p.pads_end[i], false);
    }
    if (out[first + i].IsKnown() && out[first + i].value() < 0) {
      return in.Error("the kernel of {} is larger than the padded data of {}", p.kernel[i], size.ToString());
    }
  }
  return in.Set(0, in.type(0), std::move(out));
}

constexpr Entry kEntries[] = {{OpKind::kConv, InferConv}, {OpKind::kConvTranspose, InferConv}};

}  // namespace

std::span<const Entry> ConvFunctions() { return kEntries; }

}  // namespace slipway::shapes
