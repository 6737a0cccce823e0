#include "convert/onnx_form/form.h"

namespace slipway::onnx_form {
namespace {

constexpr OpForm kForms[] = {
    {OpKind::kMaxPool, 8, "auto_pad ceil_mode@10=0 dilations@10=1 kernel_shape pads storage_order strides"},
    {OpKind::kAveragePool, 7, "auto_pad ceil_mode@10=0 count_include_pad dilations@19=1 kernel_shape pads strides"},
    {OpKind::kLpPool, 2, "auto_pad ceil_mode@18=0 dilations@18=1 kernel_shape p pads strides"},
    {OpKind::kGlobalAveragePool, 1},
    {OpKind::kGlobalMaxPool, 1},
    {OpKind::kGlobalLpPool, 2, "p"},
};

}  // namespace

std::span<const OpForm> PoolForms() { return kForms; }

}  // namespace slipway::onnx_form
