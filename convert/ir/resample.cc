#include "convert/ir/resample.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "common/base/error.h"
#include "convert/ir/spatial.h"

namespace slipway {
namespace {

// A Resize's parameters along one axis.
struct AxisParams {
  int64_t from, to;
  float scale;
  float begin = 0, end = 1;  // region of interest
};

// ONNX, Operators.md, Resize: coordinate_transformation_mode.
float SourceCoordinate(const std::string& mode, const AxisParams& axis, int64_t position) {
  const auto x = static_cast<float>(position);
  const auto from = static_cast<float>(axis.from), to = static_cast<float>(axis.to);
  if (mode == "asymmetric") return x / axis.scale;
  if (mode == "align_corners") return axis.to == 1 ? 0 : x * (from - 1) / (to - 1);
  if (mode == "pytorch_half_pixel") return axis.to > 1 ? (x + 0.5f) / axis.scale - 0.5f : 0;
  if (mode == "tf_half_pixel_for_nn") return (x + 0.5f) / axis.scale;
  if (mode == "tf_crop_and_resize") {
    return axis.to > 1 ? axis.begin * (from - 1) + x * (axis.end - axis.begin) * (from - 1) / (to - 1)
                       : 0.5f * (axis.begin + axis.end) * (from - 1);
  }
  if (mode == "half_pixel_symmetric") {
    const float offset = from / 2 * (1 - to / (axis.scale * from));
    return offset + (x + 0.5f) / axis.scale - 0.5f;
  }
  return (x + 0.5f) / axis.scale - 0.5f;
}

int64_t NearestPosition(const std::string& mode, float x) {
  if (mode == "floor") return static_cast<int64_t>(std::floor(x));
  if (mode == "ceil") return static_cast<int64_t>(std::ceil(x));
  if (mode == "round_prefer_ceil") return static_cast<int64_t>(std::floor(x + 0.5f));
  return static_cast<int64_t>(std::ceil(x - 0.5f));
}

// Keys' kernel at the four neighbours of a point `t` beyond the second of them.
std::array<float, 4> CubicWeights(float t, float a) {
  const auto near = [a](float d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
  const auto far = [a](float d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
  return {far(1 + t), near(t), near(1 - t), far(2 - t)};
}

// A filter that is stretched over all data that a result stands for, as onnxruntime has it: sums of one; what lies outside counts for the edge.
ResampledAxis ResampleSmoothly(const Node& node, const AxisParams& params, bool cubic) {
  ResampledAxis axis{.from = params.from, .to = params.to, .identity = false};
  const std::string coordinates = node.attributes.String("coordinate_transformation_mode", "half_pixel");
  const bool exclude = node.attributes.Int("exclude_outside", 0) != 0;
  const float a = node.attributes.Float("cubic_coeff_a", -0.75f);
  const auto filter = [&](float d) {
    d = std::abs(d);
    if (!cubic) return d < 1 ? 1 - d : 0.0f;
    if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0.0f;
  };
  const float stretch = std::max(1.0f, 1 / params.scale), reach = (cubic ? 2.0f : 1.0f) * stretch;
  axis.weights.assign(static_cast<size_t>(params.from * params.to), 0.0f);
  axis.outside.assign(static_cast<size_t>(params.to), false);
  for (int64_t i = 0; i < params.to; ++i) {
    float* row = axis.weights.data() + i * params.from;
    const float centre = SourceCoordinate(coordinates, params, i) + 0.5f;
    const auto first = static_cast<int64_t>(std::floor(centre - reach + 0.5f)),
               end = static_cast<int64_t>(std::floor(centre + reach + 0.5f));
    float total = 0;
    for (int64_t at = first; at < end; ++at) {
      if (exclude && (at < 0 || at >= params.from)) continue;
      const float weight = filter((static_cast<float>(at) - centre + 0.5f) / stretch);
      row[std::clamp<int64_t>(at, 0, params.from - 1)] += weight;
      total += weight;
    }
    for (int64_t at = 0; at < params.from && total != 0; ++at) row[at] /= total;
  }
  return axis;
}

ResampledAxis Resample(const Node& node, const AxisParams& params) {
  const std::string way = node.attributes.String("mode", "nearest");
  if (node.attributes.Int("antialias", 0) != 0 && way != "nearest")
    return ResampleSmoothly(node, params, way == "cubic");
  ResampledAxis axis{.from = params.from, .to = params.to, .identity = false};
  const std::string mode = node.attributes.String("mode", "nearest");
  const std::string coordinates = node.attributes.String("coordinate_transformation_mode", "half_pixel");
  const std::string rounding = node.attributes.String("nearest_mode", "round_prefer_floor");
  const bool exclude = node.attributes.Int("exclude_outside", 0) != 0;
  axis.weights.assign(static_cast<size_t>(params.from * params.to), 0.0f);
  axis.outside.assign(static_cast<size_t>(params.to), false);
  const int64_t last = params.from - 1;
  for (int64_t i = 0; i < params.to; ++i) {
    float* row = axis.weights.data() + i * params.from;
    const float x = SourceCoordinate(coordinates, params, i);
    if (coordinates == "tf_crop_and_resize" && (x < 0 || x > static_cast<float>(last))) {
      axis.outside[static_cast<size_t>(i)] = true;
      if (mode == "nearest") axis.nearest.push_back(0);
      continue;
    }
    if (mode == "nearest") {
      axis.nearest.push_back(std::clamp<int64_t>(NearestPosition(rounding, x), 0, last));
      row[axis.nearest.back()] = 1;
      continue;
    }
    const float low = std::floor(x);
    const auto base = static_cast<int64_t>(low);
    if (mode == "linear") {
      const float t = x - low;
      row[std::clamp<int64_t>(base, 0, last)] += 1 - t;
      row[std::clamp<int64_t>(base + 1, 0, last)] += t;
      continue;
    }
    std::array<float, 4> taps = CubicWeights(x - low, node.attributes.Float("cubic_coeff_a", -0.75f));
    if (exclude) {
      float sum = 0;
      for (int64_t k = 0; k < 4; ++k) {
        const int64_t at = base - 1 + k;
        if (at < 0 || at > last) taps[static_cast<size_t>(k)] = 0;
        sum += taps[static_cast<size_t>(k)];
      }
      for (float& tap : taps) tap /= sum;
    }
    for (int64_t k = 0; k < 4; ++k) row[std::clamp<int64_t>(base - 1 + k, 0, last)] += taps[static_cast<size_t>(k)];
  }
  return axis;
}

}  // namespace

absl::StatusOr<std::vector<ResampledAxis>> ReadResampling(const Node& node) {
  const auto unknown = [&](std::string_view what) { return Unimplemented("{}: {}", Describe(node), what); };
  const Value *data = node.input(0), *output = node.output();
  if (!data->shape || !output->shape) return unknown("its sizes are not known");
  const size_t rank = data->shape->size();
  // -1: an axis of unknown size that keeps it (a batch).
  std::vector<int64_t> from, to;
  for (size_t i = 0; i < rank; ++i) {
    const Dim &before = (*data->shape)[i], &after = (*output->shape)[i];
    if (!(before.IsKnown() && after.IsKnown()) && !(before == after)) return unknown("its sizes are not known");
    from.push_back(before.IsKnown() ? before.value() : -1);
    to.push_back(after.IsKnown() ? after.value() : -1);
  }
  // Sizes may be computed (a batch among them): the result's shape has those that count.
  for (const size_t i : {1, 2}) {
    if (node.input(i) != nullptr && node.constant(i) == nullptr) return unknown("its parameters are computed");
  }
  const auto given = [&](size_t i) {
    return node.constant(i) != nullptr ? node.constant(i)->ToFloats() : std::vector<float>();
  };
  const std::vector<float> scales = given(2), region = given(1);
  std::vector<int64_t> axes = node.attributes.Ints("axes");
  if (axes.empty()) {
    for (size_t i = 0; i < rank; ++i) axes.push_back(static_cast<int64_t>(i));
  }
  // Parameters count axes as NCHW has them, whatever the data's layout.
  const int64_t channels = ChannelAxis(node, static_cast<int64_t>(rank));
  const bool crops = node.attributes.String("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize";

  std::vector<ResampledAxis> resampled(rank);
  for (size_t i = 0; i < rank; ++i) resampled[i] = {.from = from[i], .to = to[i]};
  for (size_t i = 0; i < axes.size(); ++i) {
    int64_t axis = axes[i] < 0 ? axes[i] + static_cast<int64_t>(rank) : axes[i];
    if (channels != 1) axis = axis == 0 ? 0 : axis == 1 ? channels : axis - 1;
    const auto at = static_cast<size_t>(axis);
    if (at >= rank || from[at] == 0) return unknown("an axis that it does not have");
    AxisParams params{.from = from[at], .to = to[at]};
    params.scale = scales.size() == axes.size() ? scales[i] : static_cast<float>(to[at]) / static_cast<float>(from[at]);
    if (crops && region.size() == 2 * axes.size()) {
      params.begin = region[i];
      params.end = region[i + axes.size()];
    }
    const bool whole_region = params.begin == 0 && params.end == 1;
    if (params.from < 0 && (params.scale != 1 || !whole_region)) return unknown("its sizes are not known");
    if (params.from == params.to && params.scale == 1 && whole_region) continue;
    resampled[at] = Resample(node, params);
  }
  return resampled;
}

Tensor ResizeBorder(const std::vector<ResampledAxis>& axes, float extrapolation) {
  std::vector<int64_t> shape;
  for (const ResampledAxis& axis : axes) shape.push_back(axis.identity ? 1 : axis.to);
  std::vector<float> border(static_cast<size_t>(ElementCount(shape)), 0.0f);
  for (size_t i = 0; i < border.size(); ++i) {
    auto rest = static_cast<int64_t>(i);
    for (size_t axis = axes.size(); axis-- > 0; rest /= shape[axis]) {
      if (!axes[axis].identity && axes[axis].outside[static_cast<size_t>(rest % shape[axis])])
        border[i] = extrapolation;
    }
  }
  return Tensor::From(shape, border);
}

}  // namespace slipway
