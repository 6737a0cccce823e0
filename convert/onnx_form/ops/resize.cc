#include <algorithm>

#include "convert/onnx_form/form.h"

namespace slipway::onnx_form {
namespace {

// Opset 10 had scales and one way to place the samples.
int NeedsResize(const Node& node) {
  const std::string coordinates = node.attributes.String("coordinate_transformation_mode", "half_pixel");
  if (coordinates == "half_pixel_symmetric") return 19;
  const bool floor_or_linear = node.attributes.String("mode", "nearest") == "linear" ||
                               node.attributes.String("nearest_mode", "round_prefer_floor") == "floor";
  const bool old =
      node.input(1) == nullptr && node.input(3) == nullptr && coordinates == "asymmetric" && floor_or_linear;
  return old ? 10 : 11;
}

// Before opset 13 roi and scales had to be there; empty ones mean nothing.
void LowerResize(NodeForm& form) {
  if (form.opset() < 11) {
    form.inputs = {form.inputs[0], form.inputs[2]};
    return;
  }
  if (form.opset() >= 13) return;
  form.inputs.resize(std::max<size_t>(form.inputs.size(), 3));
  for (size_t i : {1, 2}) {
    if (form.inputs[i].empty()) form.inputs[i] = form.graph.Constant(form.outputs[0] + "_none", Tensor::Float32s({}));
  }
}

// Volumes came with opset 20, which also renamed the modes.
int NeedsGridSample(const Node& node) { return node.input(0) != nullptr && node.input(0)->rank() > 4 ? 20 : 16; }

void LowerGridSample(NodeForm& form) {
  if (form.opset() < 20) return;
  const std::string mode = form.attributes.String("mode", "bilinear");
  form.attributes.Set("mode", std::string(mode == "bilinear" ? "linear" : mode == "bicubic" ? "cubic" : mode));
}

constexpr OpForm kForms[] = {
    {OpKind::kResize, 10,
     "antialias@18=0 axes@18= coordinate_transformation_mode@11=asymmetric cubic_coeff_a@11= exclude_outside@11=0 "
     "extrapolation_value@11= keep_aspect_ratio_policy@18=stretch mode nearest_mode@11=floor",
     NeedsResize, LowerResize},
    {OpKind::kGridSample, 16, "align_corners mode padding_mode", NeedsGridSample, LowerGridSample},
};

}  // namespace

std::span<const OpForm> ResizeForms() { return kForms; }

}  // namespace slipway::onnx_form
