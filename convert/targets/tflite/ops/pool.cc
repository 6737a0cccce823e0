// MAX_POOL_2D, AVERAGE_POOL_2D: padding is not part of a maximum or an average.
#include <algorithm>

#include "convert/ir/spatial.h"
#include "convert/targets/tflite/ops/ops.h"

namespace slipway::tflite {
namespace {

absl::Status CheckPool(const Node& node) {
  const absl::StatusOr<SpatialParams> read = ReadSpatialParams(node);
  const bool same = node.attributes.String("auto_pad", "").starts_with("SAME");
  if (!read.ok() && !same) return read.status();
  if (node.attributes.Ints("kernel_shape").size() != 2) return Unsupported(node, "a window that is not 2-D", "");
  if (ChannelAxis(node, 4) == 1)
    return Unsupported(node, "channels at axis 1", node.output(1) != nullptr ? "MAX_POOL_2D gives no indices" : "");
  if (node.output(1) != nullptr) return Unsupported(node, "indices of the maxima", "MAX_POOL_2D gives none");
  for (int64_t dilation : node.attributes.Ints("dilations")) {
    if (dilation != 1) return Unsupported(node, "a dilated window", "");
  }
  const std::optional<schema::Padding> padding = PaddingOf(node);
  if (!padding || !FusedActivation(node))
    return Unsupported(node, "padding that SAME and VALID cannot say", "rule explicit-padding pads before it");
  if (node.kind == OpKind::kAveragePool && *padding == schema::Padding::SAME &&
      node.attributes.Int("count_include_pad", 0) != 0) {
    return Unsupported(node, "an average that counts its padding", "rule explicit-padding pads before it");
  }
  return absl::OkStatus();
}

void EmitPool(const Node& node, ModelBuilder& out) {
  const std::vector<int64_t> kernel = node.attributes.Ints("kernel_shape");
  const std::vector<int64_t> strides = node.attributes.Ints("strides", {1, 1});
  const schema::Padding padding = *PaddingOf(node);
  const schema::ActivationFunctionType activation = *FusedActivation(node);
  const schema::BuiltinOperator op =
      node.kind == OpKind::kMaxPool ? schema::BuiltinOperator::MAX_POOL_2D : schema::BuiltinOperator::AVERAGE_POOL_2D;
  out.OpWith<schema::Pool2DOptions>(op, {out.Value(node.input(0))}, {out.Value(node.output())}, 1, [=](auto& options) {
    options.add_padding(padding);
    options.add_stride_h(strides[0]);
    options.add_stride_w(strides[1]);
    options.add_filter_height(kernel[0]);
    options.add_filter_width(kernel[1]);
    options.add_fused_activation_function(activation);
  });
}

constexpr OpEntry kEntries[] = {{OpKind::kMaxPool, CheckPool, EmitPool}, {OpKind::kAveragePool, CheckPool, EmitPool}};

}  // namespace

std::span<const OpEntry> PoolOps() { return kEntries; }

}  // namespace slipway::tflite
