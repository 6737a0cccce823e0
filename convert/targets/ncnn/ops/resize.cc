// Interp, GridSample.
#include <algorithm>
#include <cmath>

#include "common/base/error.h"
#include "convert/targets/ncnn/ops/ops.h"
#include "convert/targets/target.h"

namespace slipway::ncnn {
namespace {

constexpr int64_t kNearest = 1, kLinear = 2, kCubic = 3;

bool IsWholeFactor(const Dim& in, const Dim& out, double scale) {
  if (in.IsKnown() && out.IsKnown()) return out.value() % in.value() == 0;
  return scale >= 1 && scale == std::floor(scale);
}

// Scales of height and width; 0 where only sizes are given.
struct Scales {
  double height = 0, width = 0;
};
Scales ScalesOf(const Node& node) {
  if (node.constant(2) == nullptr || node.constant(2)->size() == 0) return {};
  const std::vector<float> scales = node.constant(2)->ToFloats();
  if (node.attributes.Has("axes")) {
    Scales found{1, 1};
    const std::vector<int64_t> axes = node.attributes.Ints("axes");
    for (size_t i = 0; i < axes.size() && i < scales.size(); ++i) {
      const int64_t axis = axes[i] < 0 ? axes[i] + 4 : axes[i];
      if (axis == 2) found.height = scales[i];
      if (axis == 3) found.width = scales[i];
    }
    return found;
  }
  return scales.size() == 4 ? Scales{scales[2], scales[3]} : Scales{};
}

// The image whose height and width rule resize-like-another found to be the result's.
const Value* ReferenceOf(const Node& node) {
  const Value* sizes = node.input(3);
  if (sizes == nullptr || sizes->producer == nullptr || sizes->producer->kind != OpKind::kShape) return nullptr;
  return node.attributes.Ints("axes") == std::vector<int64_t>{2, 3} ? sizes->producer->input(0) : nullptr;
}

absl::Status CheckResize(const Node& node) {
  const Value *x = node.input(0), *y = node.output();
  if (x->rank() != 4 || !DropsBatch(*x) || !DropsBatch(*y))
    return Unsupported(node, "an input that is not one image",
                       "NCNN's Interp resizes blobs of channels, height and width");
  const Shape &in = *x->shape, &out = *y->shape;
  if (in[1] != out[1]) return Unsupported(node, "channels are resized", "NCNN's Interp resizes height and width");
  const Attributes& attributes = node.attributes;
  const Scales scales = ScalesOf(node);
  for (const size_t axis : {2, 3}) {
    const double scale = axis == 2 ? scales.height : scales.width;
    if (!out[axis].IsKnown() && scale == 0 && ReferenceOf(node) == nullptr)
      return Unsupported(node, "sizes that are not known", "give the Resize scales, or fix the sizes with --shape");
  }
  if (attributes.Int("antialias", 0) != 0 || attributes.Int("exclude_outside", 0) != 0)
    return Unsupported(node, "antialias or exclude_outside", "NCNN's Interp has neither");
  const std::string mode = attributes.String("mode", "nearest"),
                    coordinates = attributes.String("coordinate_transformation_mode", "half_pixel");
  const bool whole = IsWholeFactor(in[2], out[2], scales.height) && IsWholeFactor(in[3], out[3], scales.width);
  if (mode == "nearest") {
    const std::string rounding = attributes.String("nearest_mode", "round_prefer_floor");
    if (coordinates == "asymmetric" && rounding == "floor") return absl::OkStatus();
    // A whole factor rounds every centre back to its source.
    if (whole && (coordinates == "half_pixel" || coordinates == "pytorch_half_pixel") && rounding.starts_with("round_"))
      return absl::OkStatus();
    return Unsupported(node, fmt::format("nearest with {} and {}", coordinates, rounding),
                       "NCNN's Interp rounds down asymmetric coordinates");
  }
  const bool half = coordinates == "half_pixel" || coordinates == "pytorch_half_pixel",
             corners = coordinates == "align_corners";
  if (!half && !corners)
    return Unsupported(node, fmt::format("coordinates '{}'", coordinates),
                       "NCNN's Interp has half_pixel and align_corners");
  for (const size_t axis : {2, 3}) {
    if (in[axis] == Dim(1) && in[5 - axis] != Dim(1))
      return Unsupported(node, "one line is resized", "NCNN's Interp needs two");
    if (out[axis] == Dim(1) && in[axis] != Dim(1))
      return Unsupported(node, "a resize to one line", "NCNN's Interp divides by the size less one");
    // The runtime takes size ratios as scales; a fractional scale that was rounded would shift every sample.
    const double scale = axis == 2 ? scales.height : scales.width;
    if (scale != 0 && in[axis].IsKnown() &&
        std::abs(scale * static_cast<double>(in[axis].value()) - static_cast<double>(out[axis].value())) > 1e-4) {
      return Unsupported(node, fmt::format("the scale {} of {} is no whole size", scale, in[axis].value()),
                         "give the Resize sizes");
    }
  }
  if (mode == "cubic" && attributes.Float("cubic_coeff_a", -0.75f) != -0.75f)
    return Unsupported(node, "another cubic coefficient than -0.75", "");
  return absl::OkStatus();
}

absl::Status EmitResize(const Node& node, Emitter& emitter) {
  const Value *x = node.input(0), *y = node.output();
  const Shape in = BlobShape(*x), out = BlobShape(*y);
  const std::string mode = node.attributes.String("mode", "nearest");
  const Scales scales = ScalesOf(node);
  Params params = {
      {0, mode == "nearest"  ? kNearest
          : mode == "linear" ? kLinear
                             : kCubic},
      {6, int64_t{node.attributes.String("coordinate_transformation_mode", "half_pixel") == "align_corners"}}};
  if (const Value* reference = ReferenceOf(node); reference != nullptr) {
    // Sizes other than 0 say that the ratio of the sizes is the scale; the second blob's are taken.
    for (const int id : {3, 4, 5}) params.emplace_back(id, int64_t{1});
    return emitter.Layer("Interp", node, {x, reference}, {y}, std::move(params));
  }
  if (scales.height != 0 && (mode == "nearest" || !out[1].IsKnown() || !out[2].IsKnown())) {
    params.emplace_back(1, static_cast<float>(scales.height));
    params.emplace_back(2, static_cast<float>(scales.width));
  } else {
    params.emplace_back(3, out[1].value());
    params.emplace_back(4, out[2].value());
  }
  // One point an image: Interp spreads it when it comes as a row of channels.
  if (in[1] == Dim(1) && in[2] == Dim(1))
    return emitter.Layer("Interp", node, {{x, Shape{in[0]}}}, {y}, std::move(params));
  return emitter.Layer("Interp", node, {x}, {y}, std::move(params));
}

// Only as what tells a Resize its sizes: no blob is made of it.
absl::Status CheckShape(const Node& node) {
  const bool reference = std::ranges::all_of(node.output()->uses, [](const slipway::Use& use) {
    return use.node != nullptr && use.node->kind == OpKind::kResize && use.input == 3 &&
           ReferenceOf(*use.node) != nullptr;
  });
  if (reference && !node.output()->uses.empty()) return absl::OkStatus();
  return Unsupported(node, "NCNN has no layer for it",
                     "cut it off with --cut-outputs, or compute it outside the model");
}

absl::Status EmitShape(const Node&, Emitter&) { return absl::OkStatus(); }

constexpr std::string_view kSampling[] = {"bilinear", "nearest", "bicubic"};
constexpr std::string_view kBorders[] = {"zeros", "border", "reflection"};

absl::Status CheckGridSample(const Node& node) {
  const Value *x = node.input(0), *grid = node.input(1);
  if ((x->rank() != 4 && x->rank() != 5) || !DropsBatch(*x) || !DropsBatch(*grid))
    return Unsupported(node, "an input that is not one image", "NCNN's blobs hold one sample: export with batch 1");
  return absl::OkStatus();
}

absl::Status EmitGridSample(const Node& node, Emitter& emitter) {
  const auto number = [](std::span<const std::string_view> names, const std::string& name) {
    return int64_t{std::ranges::find(names, name) - names.begin() + 1};
  };
  return emitter.Layer("GridSample", node, {node.input(0), node.input(1)}, {node.output()},
                       {{0, number(kSampling, node.attributes.String("mode", "bilinear"))},
                        {1, number(kBorders, node.attributes.String("padding_mode", "zeros"))},
                        {2, node.attributes.Int("align_corners", 0)}});
}

}  // namespace

std::span<const OpEmitter> ResizeOps() {
  static constexpr OpEmitter kOps[] = {{OpKind::kResize, CheckResize, EmitResize},
                                       {OpKind::kShape, CheckShape, EmitShape, true},
                                       {OpKind::kGridSample, CheckGridSample, EmitGridSample}};
  return kOps;
}

}  // namespace slipway::ncnn
