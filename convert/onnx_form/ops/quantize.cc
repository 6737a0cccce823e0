#include "convert/onnx_form/form.h"

namespace slipway::onnx_form {
namespace {

constexpr OpForm kForms[] = {
    {OpKind::kQuantizeLinear, 10, "axis@13=1 block_size@21=0 output_dtype@21=0 saturate@19=1"},
    {OpKind::kDequantizeLinear, 10, "axis@13=1 block_size@21=0 output_dtype@23=0"},
};

}  // namespace

std::span<const OpForm> QuantizeForms() { return kForms; }

}  // namespace slipway::onnx_form
