#include <algorithm>

#include "convert/ir/spatial.h"
#include "convert/targets/tflite/ops/ops.h"

namespace slipway::tflite {

std::optional<schema::ActivationFunctionType> FusedActivation(const Node& node) {
  const std::string activation = node.attributes.String("activation", "");
  if (activation.empty()) return schema::ActivationFunctionType::NONE;
  if (activation == "Relu") return schema::ActivationFunctionType::RELU;
  if (activation != "Clip") return std::nullopt;
  const float low = node.attributes.Float("activation_min", 0), high = node.attributes.Float("activation_max", 0);
  if (low == 0 && high == 6) return schema::ActivationFunctionType::RELU6;
  if (low == -1 && high == 1) return schema::ActivationFunctionType::RELU_N1_TO_1;
  return std::nullopt;
}

std::optional<schema::Padding> PaddingOf(const Node& node) {
  const std::string auto_pad = node.attributes.String("auto_pad", "NOTSET");
  if (auto_pad == "SAME_UPPER" && node.kind != OpKind::kConvTranspose) return schema::Padding::SAME;
  const absl::StatusOr<SpatialParams> read = ReadSpatialParams(node);
  if (!read.ok()) return std::nullopt;
  const SpatialParams& p = *read;
  bool valid = true, same = node.kind != OpKind::kConvTranspose;
  for (int64_t i = 0; i < p.rank; ++i) {
    const Dim size = node.input(0)->shape ? (*node.input(0)->shape)[static_cast<size_t>(i + (p.channels_last ? 1 : 2))]
                                          : Dim::Unknown();
    const int64_t reach = (p.kernel[i] - 1) * p.dilations[i] + 1;
    const Dim output =
        PooledSize(size, p.kernel[i], p.strides[i], p.dilations[i], p.pads_begin[i], p.pads_end[i], p.ceil_mode);
    const bool pads = p.pads_begin[i] != 0 || p.pads_end[i] != 0;
    // A ceiling that changes nothing is none.
    valid &= !pads &&
             (!p.ceil_mode || p.strides[i] == 1 ||
              (size.IsKnown() && output == PooledSize(size, p.kernel[i], p.strides[i], p.dilations[i], 0, 0, false)));
    if (size.IsKnown()) {
      const int64_t wanted = (size.value() + p.strides[i] - 1) / p.strides[i];
      const int64_t total = std::max<int64_t>(0, (wanted - 1) * p.strides[i] + reach - size.value());
      // Behind the data a ceiling may reach as far as SAME does; before it they must be equal.
      const bool end = p.ceil_mode ? p.pads_end[i] <= total - total / 2 : p.pads_end[i] == total - total / 2;
      const bool unused = !p.ceil_mode && p.pads_begin[i] == total / 2 && p.pads_end[i] >= 0;
      same &= output == Dim(wanted) && p.pads_begin[i] == total / 2 &&
              (end || (unused && node.kind != OpKind::kAveragePool));
    } else {
      const bool centred =
          p.strides[i] == 1 && p.pads_begin[i] == (reach - 1) / 2 && p.pads_end[i] == reach - 1 - (reach - 1) / 2;
      const bool ceiling =
          p.ceil_mode && p.strides[i] == p.kernel[i] && p.dilations[i] == 1 && !pads && p.kernel[i] <= 2;
      same &= centred || ceiling || (reach == 1 && !pads);
    }
  }
  if (valid) return schema::Padding::VALID;
  if (same) return schema::Padding::SAME;
  return std::nullopt;
}

absl::Status CheckRank(const Node& node, const Value* value, int64_t most) {
  if (value->rank() < 0)
    return Unsupported(node, fmt::format("the rank of '{}' is not known", value->name), "fix its shape with --shape");
  if (value->rank() > most) {
    return Unsupported(
        node, fmt::format("'{}' has rank {}; the operator takes at most {}", value->name, value->rank(), most), "");
  }
  return absl::OkStatus();
}

absl::Status CheckConstant(const Node& node, size_t input, std::string_view what) {
  if (node.input(input) == nullptr || node.constant(input) != nullptr) return absl::OkStatus();
  return Unsupported(node, fmt::format("{} computed at run time", what), "make it a constant of the model");
}

int64_t AxisOf(const Node& node, const Value* value, int64_t fallback) {
  const int64_t axis = node.attributes.Int("axis", fallback);
  return axis < 0 ? axis + value->rank() : axis;
}

}  // namespace slipway::tflite
