#include <array>
#include <cmath>
#include <optional>

#include "common/base/error.h"
#include "convert/targets/coreml/emit.h"

namespace slipway::coreml_writer {
namespace {

// Factors of the two last axes of an image; nullopt when the first two change or something is not known.
std::optional<std::array<double, 2>> Factors(const Node& node) {
  const Value* x = node.input(0);
  const Shape& out = *node.outputs[0]->shape;
  if (x->rank() != 4 || out[0] != (*x->shape)[0] || out[1] != (*x->shape)[1]) return std::nullopt;
  if (const Tensor* scales = node.constant(2); scales != nullptr && scales->size() == 4) {
    const std::vector<double> all = scales->ToDoubles();
    return std::array{all[2], all[3]};
  }
  std::array<double, 2> factors{};
  for (size_t i = 0; i < 2; ++i) {
    const Dim& from = (*x->shape)[i + 2];
    const Dim& to = out[i + 2];
    if (!from.IsKnown() || !to.IsKnown()) return std::nullopt;
    factors[i] = static_cast<double>(to.value()) / static_cast<double>(from.value());
  }
  return factors;
}

bool IsWhole(double factor) { return factor >= 1 && factor == std::floor(factor); }

// Native: nearest by whole factors; linear between aligned corners or pixel centres. Rule resize-by-matrices makes products of all else.
absl::Status CheckResize(const Node& node) {
  const auto factors = Factors(node);
  const std::string mode = node.attributes.String("mode", "nearest");
  const std::string coordinates = node.attributes.String("coordinate_transformation_mode", "half_pixel");
  const std::string nearest = node.attributes.String("nearest_mode", "round_prefer_floor");
  const char* const hint = "give the input's size with --shape";
  if (!factors)
    return Unsupported(node, "the factors of the last two axes of an image are not known, or other axes change", hint);
  const bool whole = IsWhole((*factors)[0]) && IsWhole((*factors)[1]);
  if (node.attributes.Int("antialias", 0) != 0) return Unsupported(node, "antialias cannot be said", hint);
  if (mode == "nearest") {
    const bool floors =
        (coordinates == "asymmetric" && nearest == "floor") ||
        ((coordinates == "half_pixel" || coordinates == "pytorch_half_pixel") && nearest.starts_with("round"));
    if (!whole || !floors)
      return Unsupported(node, "nearest by fractions, or rounded in another way, cannot be said", hint);
    return absl::OkStatus();
  }
  if (mode == "linear" &&
      (coordinates == "align_corners" || coordinates == "half_pixel" || coordinates == "pytorch_half_pixel") && whole)
    return absl::OkStatus();
  return Unsupported(node, fmt::format("mode '{}' with '{}' cannot be said", mode, coordinates), hint);
}

void Resize(const Node& node, Program& out) {
  const auto factors = *Factors(node);
  Arguments arguments = {{"x", {out.Operand(node, 0)}},
                         {"scale_factor_height", {out.Float(static_cast<float>(factors[0]))}},
                         {"scale_factor_width", {out.Float(static_cast<float>(factors[1]))}}};
  if (node.attributes.String("mode", "nearest") == "nearest") {
    out.Emit(node, "upsample_nearest_neighbor", std::move(arguments));
    return;
  }
  const bool corners = node.attributes.String("coordinate_transformation_mode", "half_pixel") == "align_corners";
  arguments.emplace_back("align_corners", std::vector{out.Bool(corners)});
  out.Emit(node, "upsample_bilinear", std::move(arguments));
}

// Reflection between pixel edges, which aligned corners do not have, is no mode of resample's.
absl::Status CheckGridSample(const Node& node) {
  const std::string mode = node.attributes.String("mode", "bilinear");
  if (node.input(0)->rank() != 4 || !IsFloat(node.input(0)->type) || !IsFloat(node.input(1)->type))
    return Unsupported(node, "resample takes float images of 4 axes", "");
  if (mode != "bilinear" && mode != "nearest")
    return Unsupported(node, fmt::format("mode '{}' cannot be said", mode), "use bilinear or nearest");
  if (node.attributes.String("padding_mode", "zeros") == "reflection" && node.attributes.Int("align_corners", 0) == 0)
    return Unsupported(node, "reflection between pixel edges cannot be said",
                       "align the corners, or pad with the border");
  return absl::OkStatus();
}

void GridSample(const Node& node, Program& out) {
  const std::string padding = node.attributes.String("padding_mode", "zeros");
  out.Emit(node, "resample",
           {{"x", {out.Operand(node, 0)}},
            {"coordinates", {out.Operand(node, 1)}},
            {"sampling_mode", {out.Text(node.attributes.String("mode", "bilinear"))}},
            {"padding_mode", {out.Text(padding == "zeros" ? "constant" : padding)}},
            {"padding_value", {out.Float(0)}},
            {"coordinates_mode", {out.Text("normalized_minus_one_to_one")}},
            {"align_corners", {out.Bool(node.attributes.Int("align_corners", 0) != 0)}}});
}

constexpr OpEmitter kEmitters[] = {
    {OpKind::kResize, Resize, CheckResize},
    {OpKind::kGridSample, GridSample, CheckGridSample},
};

}  // namespace

std::span<const OpEmitter> ResizeEmitters() { return kEmitters; }

}  // namespace slipway::coreml_writer
