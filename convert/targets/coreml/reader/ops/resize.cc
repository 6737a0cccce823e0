#include <cmath>

#include "convert/targets/coreml/reader/op_reader.h"

namespace slipway::coreml_reader {
namespace {

// Resizes the last two axes. `coordinates`: ONNX's name of how an output position maps to the input; `sizes` of the two axes.
void EmitResize(OpReader& op, Value* x, std::string_view mode, std::string_view coordinates,
                std::pair<int64_t, int64_t> sizes) {
  const int64_t rank = op.RankOf(x);
  if (!op.ok()) return;
  if (rank < 3) return op.Malformed("x has fewer than three axes");
  std::vector<int64_t> target;
  for (int64_t i = 0; i < rank - 2; ++i) {
    const Dim& size = (*x->shape)[static_cast<size_t>(i)];
    if (!size.IsKnown()) return op.Refuse("a leading axis has a variable size");
    target.push_back(size.value());
  }
  target.push_back(sizes.first);
  target.push_back(sizes.second);
  if (sizes.first < 1 || sizes.second < 1) return op.Malformed("a target size is not positive");
  op.Emit(OpKind::kResize, {x, nullptr, nullptr, op.ConstInt64s(target)},
          Attrs({{"mode", std::string(mode)},
                 {"coordinate_transformation_mode", std::string(coordinates)},
                 {"nearest_mode", std::string("floor")}}));
}

// Resizes by factors, for inputs of variable size; MIL recomputes the factor from the sizes, so only whole ones mean the same.
void EmitScale(OpReader& op, Value* x, std::string_view mode, std::string_view coordinates) {
  const double height = op.Float("scale_factor_height", 1);
  const double width = op.Float("scale_factor_width", 1);
  const int64_t rank = op.RankOf(x);
  if (!op.ok()) return;
  if (rank < 3) return op.Malformed("x has fewer than three axes");
  const Shape& shape = *x->shape;
  const Dim& h = shape[static_cast<size_t>(rank - 2)];
  const Dim& w = shape[static_cast<size_t>(rank - 1)];
  if (IsStatic(shape)) {
    return EmitResize(op, x, mode, coordinates,
                      {static_cast<int64_t>(std::floor(static_cast<double>(h.value()) * height)),
                       static_cast<int64_t>(std::floor(static_cast<double>(w.value()) * width))});
  }
  if (height != std::floor(height) || width != std::floor(width))
    return op.Refuse("a fractional factor with a variable size is not read");
  std::vector<float> scales(static_cast<size_t>(rank), 1.0f);
  scales[static_cast<size_t>(rank - 2)] = static_cast<float>(height);
  scales[static_cast<size_t>(rank - 1)] = static_cast<float>(width);
  op.Emit(OpKind::kResize, {x, nullptr, op.Const(Tensor::Float32s(scales))},
          Attrs({{"mode", std::string(mode)},
                 {"coordinate_transformation_mode", std::string(coordinates)},
                 {"nearest_mode", std::string("floor")}}));
}

void ReadUpsampleNearest(OpReader& op) { EmitScale(op, op.Input("x"), "nearest", "asymmetric"); }

void ReadUpsampleBilinear(OpReader& op) {
  const bool align = op.Bool("align_corners", true);
  const bool half_pixel = op.Bool("half_pixel_centers", !align);
  if (align && half_pixel) return op.Refuse("align_corners with half_pixel_centers is not read");
  EmitScale(op, op.Input("x"), "linear", align ? "align_corners" : half_pixel ? "half_pixel" : "asymmetric");
}

void ReadResizeNearest(OpReader& op) {
  EmitResize(op, op.Input("x"), "nearest", "asymmetric",
             {op.Int("target_size_height", 0), op.Int("target_size_width", 0)});
}

// ONNX's name for a sampling mode; empty after a failure.
std::string_view CoordinatesOf(OpReader& op, std::pair<int64_t, int64_t> sizes) {
  const std::string mode = op.String("sampling_mode", "DEFAULT");
  if (mode == "STRICT_ALIGN_CORNERS") return "align_corners";
  if (mode == "ALIGN_CORNERS") {
    // To one position it takes the middle, which ONNX's align_corners does not.
    if (sizes.first == 1 || sizes.second == 1) op.Refuse("ALIGN_CORNERS to a size of one is not read");
    return "align_corners";
  }
  if (mode == "DEFAULT") return "asymmetric";
  if (mode == "UNALIGN_CORNERS") return "half_pixel";
  op.Refuse("sampling_mode '" + mode + "' is not read");
  return "";
}

void ReadResizeBilinear(OpReader& op) {
  const std::pair<int64_t, int64_t> sizes = {op.Int("target_size_height", 1), op.Int("target_size_width", 1)};
  EmitResize(op, op.Input("x"), "linear", CoordinatesOf(op, sizes), sizes);
}

// The last `resized_dims` sizes of `shape`; zero keeps the input's.
void ReadResize(OpReader& op) {
  Value* x = op.Input("x");
  const std::vector<int64_t> shape = op.Ints("shape");
  const int64_t rank = op.RankOf(x);
  if (!op.ok()) return;
  if (op.Int("resized_dims", 2) != 2 || shape.size() < 2 || rank < 3) {
    return op.Refuse("resizing other than the last two axes is not read");
  }
  const auto size = [&](size_t from_end) {
    const int64_t given = shape[shape.size() - from_end];
    const Dim& old = (*x->shape)[static_cast<size_t>(rank) - from_end];
    if (given == 0 && !old.IsKnown()) op.Refuse("keeping a variable size is not read");
    return given != 0 ? given : old.IsKnown() ? old.value() : 1;
  };
  const std::pair<int64_t, int64_t> sizes = {size(2), size(1)};
  const std::string mode = op.String("interpolation_mode", "LINEAR");
  if (mode != "LINEAR" && mode != "NEAREST_NEIGHBOR")
    return op.Malformed("interpolation_mode '" + mode + "' is not one of MIL's");
  if (mode == "NEAREST_NEIGHBOR" && op.String("sampling_mode", "DEFAULT") != "DEFAULT") {
    return op.Refuse("nearest neighbours in a sampling_mode other than DEFAULT are not read");
  }
  EmitResize(op, x, mode == "LINEAR" ? "linear" : "nearest", CoordinatesOf(op, sizes), sizes);
}

void ReadResample(OpReader& op) {
  const std::string mode = op.String("sampling_mode", ""), padding = op.String("padding_mode", "");
  const std::string coordinates = op.String("coordinates_mode", "");
  const bool corners = op.Bool("align_corners", false);
  if (mode != "bilinear" && mode != "nearest") return op.Malformed("sampling_mode '" + mode + "' is not one of MIL's");
  if (coordinates != "normalized_minus_one_to_one")
    return op.Refuse("coordinates_mode '" + coordinates + "' is not read");
  if (padding != "constant" && padding != "border" && !(padding == "reflection" && corners))
    return op.Refuse("padding_mode '" + padding + "' is not read");
  if (padding == "constant" && op.Float("padding_value", 0) != 0) return op.Refuse("a padding_value is not read");
  op.Emit(OpKind::kGridSample, {op.Input("x"), op.Input("coordinates")},
          Attrs({{"mode", mode},
                 {"padding_mode", padding == "constant" ? std::string("zeros") : padding},
                 {"align_corners", int64_t{corners}}}));
}

constexpr OpEntry kOps[] = {
    {"resample", ReadResample},
    {"resize", ReadResize},
    {"resize_bilinear", ReadResizeBilinear},
    {"resize_nearest_neighbor", ReadResizeNearest},
    {"upsample_bilinear", ReadUpsampleBilinear},
    {"upsample_nearest_neighbor", ReadUpsampleNearest},
};

}  // namespace

std::span<const OpEntry> ResizeOps() { return kOps; }

}  // namespace slipway::coreml_reader
