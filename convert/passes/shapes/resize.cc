// Resize, GridSample, DepthToSpace, SpaceToDepth.
#include <cmath>

#include "convert/ir/spatial.h"
#include "convert/passes/shapes/infer.h"

namespace slipway::shapes {
namespace {

Dim Floor(double size) {
  return std::abs(size) < 0x1p62 ? Dim(static_cast<int64_t>(std::floor(size))) : Dim::Overflow();
}

// size × scale, rounded down (ONNX Resize). Scales of symbols stay exact when they are whole or 1 / whole.
Dim Scaled(const Dim& size, double scale) {
  if (size.IsKnown()) return Floor(static_cast<double>(size.value()) * scale);
  if (scale == std::floor(scale)) return size * Floor(scale);
  const double inverse = 1 / scale;
  if (inverse == std::floor(inverse)) return FloorDiv(size, Floor(inverse));
  return Dim::Unknown();
}

absl::Status InferResize(Inference& in) {
  if (!in.HasShape(0)) return in.Unranked();
  Shape out = in.shape(0);
  std::vector<int64_t> axes = in.node.attributes.Ints("axes");
  if (axes.empty()) {
    for (int64_t i = 0; i < in.rank(0); ++i) axes.push_back(i);
  }
  ASSIGN_OR_RETURN(std::vector<int64_t> resolved, in.Axes(axes, in.rank(0)));
  // Parameters count axes as NCHW has them, whatever the data's layout.
  if (const int64_t channels = ChannelAxis(in.node, in.rank(0)); channels != 1) {
    for (int64_t& axis : resolved) axis = axis == 0 ? 0 : axis == 1 ? channels : axis - 1;
  }
  const bool has_scales = in.Has(2) && !(in.node.constant(2) != nullptr && in.node.constant(2)->size() == 0);
  if (in.Has(3)) {
    const std::optional<std::vector<Dim>> sizes = in.Values(3);
    if (!sizes) {
      for (int64_t axis : resolved) out[axis] = Dim::Unknown();
      return in.Set(0, in.type(0), std::move(out));
    }
    if (sizes->size() != resolved.size()) return in.Error("{} sizes for {} axes", sizes->size(), resolved.size());
    const std::string policy = in.node.attributes.String("keep_aspect_ratio_policy", "stretch");
    if (policy == "stretch") {
      for (size_t i = 0; i < resolved.size(); ++i) out[resolved[i]] = (*sizes)[i];
      return in.Set(0, in.type(0), std::move(out));
    }
    double chosen = 0;
    bool known = true;
    for (size_t i = 0; i < resolved.size(); ++i) {
      if (!(*sizes)[i].IsKnown() || !out[resolved[i]].IsKnown() || out[resolved[i]].value() == 0) {
        known = false;
        break;
      }
      const double scale = static_cast<double>((*sizes)[i].value()) / static_cast<double>(out[resolved[i]].value());
      chosen = i == 0 ? scale : policy == "not_larger" ? std::min(chosen, scale) : std::max(chosen, scale);
    }
    for (int64_t axis : resolved) {
      out[axis] = known ? Floor(static_cast<double>(out[axis].value()) * chosen + 0.5) : Dim::Unknown();
    }
    return in.Set(0, in.type(0), std::move(out));
  }
  if (!has_scales) return in.Error("neither scales nor sizes");
  const Tensor* scales = in.node.constant(2);
  if (scales == nullptr) {
    for (int64_t axis : resolved) out[axis] = Dim::Unknown();
    return in.Set(0, in.type(0), std::move(out));
  }
  const std::vector<double> factors = scales->ToDoubles();
  if (factors.size() != resolved.size()) return in.Error("{} scales for {} axes", factors.size(), resolved.size());
  const std::vector<double> roi =
      in.node.constant(1) != nullptr ? in.node.constant(1)->ToDoubles() : std::vector<double>();
  const bool crop = in.node.attributes.String("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize";
  for (size_t i = 0; i < resolved.size(); ++i) {
    if (!(factors[i] > 0)) return in.Error("scale {} is not positive", factors[i]);
    const double window = crop && roi.size() == 2 * factors.size() ? roi[i + factors.size()] - roi[i] : 1;
    out[resolved[i]] = Scaled(out[resolved[i]], factors[i] * window);
  }
  return in.Set(0, in.type(0), std::move(out));
}

absl::Status InferGridSample(Inference& in) {
  if (!in.HasShape(0) || !in.HasShape(1)) return in.Unranked();
  if (in.rank(0) != in.rank(1) || in.rank(0) < 3)
    return in.Error("data of rank {} and grid of rank {}", in.rank(0), in.rank(1));
  Shape out = {in.shape(0)[0], in.shape(0)[1]};
  out.insert(out.end(), in.shape(1).begin() + 1, in.shape(1).end() - 1);
  return in.Set(0, in.type(0), std::move(out));
}

absl::Status InferDepthSpace(Inference& in) {
  if (!in.HasShape(0)) return in.Unranked();
  if (in.rank(0) != 4) return in.Error("data of rank {}; it takes rank 4", in.rank(0));
  const int64_t block = in.node.attributes.Int("blocksize", 0);
  if (block < 1 || block > 1 << 20) return in.Error("blocksize {}", block);
  const int64_t channels = ChannelAxis(in.node, 4);
  const int64_t height = channels == 1 ? 2 : 1;
  const bool to_space = in.node.kind == OpKind::kDepthToSpace;
  Shape out = in.shape(0);
  const auto divide = [&](Dim& size, int64_t by) -> absl::Status {
    if (size.IsKnown() && size.value() % by != 0) return in.Error("size {} is no multiple of {}", size.value(), by);
    size = FloorDiv(size, Dim(by));
    return absl::OkStatus();
  };
  if (to_space) {
    RETURN_IF_ERROR(divide(out[channels], block * block));
    out[height] = out[height] * Dim(block);
    out[height + 1] = out[height + 1] * Dim(block);
  } else {
    out[channels] = out[channels] * Dim(block * block);
    RETURN_IF_ERROR(divide(out[height], block));
    RETURN_IF_ERROR(divide(out[height + 1], block));
  }
  return in.Set(0, in.type(0), std::move(out));
}

constexpr Entry kEntries[] = {
    {OpKind::kResize, InferResize},
    {OpKind::kGridSample, InferGridSample},
    {OpKind::kDepthToSpace, InferDepthSpace},
    {OpKind::kSpaceToDepth, InferDepthSpace},
};

}  // namespace

std::span<const Entry> ResizeFunctions() { return kEntries; }

}  // namespace slipway::shapes
