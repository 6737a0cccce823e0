// RESIZE_BILINEAR, RESIZE_NEAREST_NEIGHBOR, DEPTH_TO_SPACE, SPACE_TO_DEPTH on channels-last data.
#include <cmath>

#include "convert/ir/spatial.h"
#include "convert/targets/tflite/ops/ops.h"

namespace slipway::tflite {
namespace {

using schema::BuiltinOperator;

struct ResizeForm {
  bool bilinear = false, align_corners = false, half_pixel = false;
};

// Axis of height (0) or width (1).
size_t SpatialAxis(const Node& node, size_t i) { return i + (ChannelAxis(node, 4) == 1 ? 2 : 1); }

// TFLite divides sizes where ONNX takes the scale that is given: the same unless the result was rounded.
bool HasExactScales(const Node& node) {
  const Tensor* scales = node.constant(2);
  if (scales == nullptr || scales->size() != 4) return scales == nullptr || scales->size() == 0;
  for (size_t i = 0; i < 2; ++i) {
    const Dim &in = (*node.input(0)->shape)[SpatialAxis(node, i)], &out = (*node.output()->shape)[SpatialAxis(node, i)];
    if (!in.IsKnown() || !out.IsKnown()) continue;
    const double exact = scales->ToDoubles()[2 + i] * static_cast<double>(in.value());
    if (std::abs(exact - static_cast<double>(out.value())) > 1e-4) return false;
  }
  return true;
}

// Whether every scale is a whole number: then several of ONNX's coordinate modes choose the same pixels.
bool WholeScales(const Node& node) {
  for (size_t i = 0; i < 2; ++i) {
    const Dim &in = (*node.input(0)->shape)[SpatialAxis(node, i)], &out = (*node.output()->shape)[SpatialAxis(node, i)];
    if (!in.IsKnown() || !out.IsKnown() || in.value() == 0 || out.value() % in.value() != 0) return false;
  }
  return true;
}

std::optional<ResizeForm> FormOf(const Node& node) {
  const std::string mode = node.attributes.String("mode", "nearest");
  const std::string coordinates = node.attributes.String("coordinate_transformation_mode", "half_pixel");
  if (node.attributes.Int("antialias", 0) != 0 || node.attributes.Int("exclude_outside", 0) != 0) return std::nullopt;
  ResizeForm form;
  form.bilinear = mode == "linear";
  if (!form.bilinear && mode != "nearest") return std::nullopt;
  if (form.bilinear) {
    form.align_corners = coordinates == "align_corners";
    form.half_pixel = coordinates == "half_pixel" || coordinates == "pytorch_half_pixel";
    // pytorch_half_pixel differs only for results of one pixel.
    if (coordinates == "pytorch_half_pixel" && ((*node.output()->shape)[SpatialAxis(node, 0)] == Dim(1) ||
                                                (*node.output()->shape)[SpatialAxis(node, 1)] == Dim(1)))
      return std::nullopt;
    if (!form.align_corners && !HasExactScales(node)) return std::nullopt;
    return form.align_corners || form.half_pixel || coordinates == "asymmetric" ? std::optional(form) : std::nullopt;
  }
  // TFLite takes floor of the unrounded coordinate.
  const std::string nearest = node.attributes.String("nearest_mode", "round_prefer_floor");
  if (coordinates == "asymmetric" && nearest == "floor" && HasExactScales(node)) return form;
  if (WholeScales(node) &&
      ((coordinates == "asymmetric" && nearest == "floor") ||
       ((coordinates == "half_pixel" || coordinates == "pytorch_half_pixel") && nearest.starts_with("round")))) {
    return form;
  }
  if (coordinates == "align_corners" && nearest == "round_prefer_ceil") {
    form.align_corners = true;
    return form;
  }
  return std::nullopt;
}

absl::Status CheckResize(const Node& node) {
  RETURN_IF_ERROR(CheckRank(node, node.input(0), 4));
  if (node.input(0)->rank() != 4 || ChannelAxis(node, 4) == 1)
    return Unsupported(node, "data that is no channels-last image", "");
  if (node.input(0)->type != DataType::kFloat32)
    return Unsupported(node, fmt::format("data of type {}", Name(node.input(0)->type)), "");
  const Shape &in = *node.input(0)->shape, &out = *node.output()->shape;
  if (!(in[0] == out[0]) || !(in[3] == out[3])) return Unsupported(node, "a resized batch or channel axis", "");
  if (!FormOf(node)) {
    return Unsupported(
        node,
        fmt::format("mode '{}', coordinates '{}'", node.attributes.String("mode", "nearest"),
                    node.attributes.String("coordinate_transformation_mode", "half_pixel")),
        "TFLite has bilinear with half-pixel, aligned or asymmetric coordinates, and nearest with floor");
  }
  // Rule runtime-sizes computes those that are not fixed.
  if ((!out[1].IsKnown() || !out[2].IsKnown()) && (node.input(3) == nullptr || node.input(3)->type != DataType::kInt32))
    return Unsupported(node, "a result whose sizes are not fixed", "fix the input's sizes with --shape");
  return absl::OkStatus();
}

void EmitResize(const Node& node, ModelBuilder& out) {
  const ResizeForm form = *FormOf(node);
  const Shape& shape = *node.output()->shape;
  const bool fixed = shape[1].IsKnown() && shape[2].IsKnown();
  const int32_t size =
      fixed ? out.Ints(node.output()->name + "/size", {shape[1].value(), shape[2].value()}) : out.Value(node.input(3));
  const std::vector<int32_t> inputs = {out.Value(node.input(0)), size};
  const auto fill = [form](auto& options) {
    options.add_align_corners(form.align_corners);
    options.add_half_pixel_centers(form.half_pixel);
  };
  const int version = form.half_pixel ? 3 : 1;
  if (form.bilinear)
    return out.OpWith<schema::ResizeBilinearOptions>(BuiltinOperator::RESIZE_BILINEAR, inputs,
                                                     {out.Value(node.output())}, version, fill);
  out.OpWith<schema::ResizeNearestNeighborOptions>(BuiltinOperator::RESIZE_NEAREST_NEIGHBOR, inputs,
                                                   {out.Value(node.output())}, version, fill);
}

absl::Status CheckDepthSpace(const Node& node) {
  if (ChannelAxis(node, 4) == 1) return Unsupported(node, "channels at axis 1", "");
  if (node.input(0)->type != DataType::kFloat32)
    return Unsupported(node, fmt::format("data of type {}", Name(node.input(0)->type)), "");
  if (node.kind == OpKind::kDepthToSpace && node.attributes.String("mode", "DCR") != "DCR")
    return Unsupported(node, "mode CRD", "rule depth-to-space-crd reorders channels");
  return absl::OkStatus();
}

void EmitDepthSpace(const Node& node, ModelBuilder& out) {
  const int64_t block = node.attributes.Int("blocksize", 1);
  const auto fill = [block](auto& options) { options.add_block_size(block); };
  if (node.kind == OpKind::kDepthToSpace) {
    return out.OpWith<schema::DepthToSpaceOptions>(BuiltinOperator::DEPTH_TO_SPACE, {out.Value(node.input(0))},
                                                   {out.Value(node.output())}, 1, fill);
  }
  out.OpWith<schema::SpaceToDepthOptions>(BuiltinOperator::SPACE_TO_DEPTH, {out.Value(node.input(0))},
                                          {out.Value(node.output())}, 1, fill);
}

constexpr OpEntry kEntries[] = {{OpKind::kResize, CheckResize, EmitResize},
                                {OpKind::kDepthToSpace, CheckDepthSpace, EmitDepthSpace},
                                {OpKind::kSpaceToDepth, CheckDepthSpace, EmitDepthSpace}};

}  // namespace

bool HasResizeOperator(const Node& node) {
  const Value *data = node.input(0), *output = node.output();
  if (data->rank() != 4 || !output->shape || data->type != DataType::kFloat32) return false;
  const int64_t channels = ChannelAxis(node, 4);
  const auto same = [&](int64_t axis) {
    return (*data->shape)[static_cast<size_t>(axis)] == (*output->shape)[static_cast<size_t>(axis)];
  };
  return same(0) && same(channels) && FormOf(node).has_value();
}

std::span<const OpEntry> ResizeOps() { return kEntries; }

}  // namespace slipway::tflite
