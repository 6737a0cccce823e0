#include "convert/onnx_form/form.h"

namespace slipway::onnx_form {
namespace {

constexpr OpForm kForms[] = {
    {OpKind::kConv, 1, "auto_pad dilations group kernel_shape pads strides"},
    {OpKind::kConvTranspose, 1, "auto_pad dilations group kernel_shape output_padding output_shape pads strides"},
};

}  // namespace

std::span<const OpForm> ConvForms() { return kForms; }

}  // namespace slipway::onnx_form
