#include "convert/onnx_form/form.h"

namespace slipway::onnx_form {
namespace {

// C could not be left out before opset 11.
int NeedsBias(const Node& node) { return node.input(2) == nullptr ? 11 : 7; }

constexpr OpForm kForms[] = {
    {OpKind::kGemm, 7, "alpha beta transA transB", NeedsBias},
    {OpKind::kMatMul, 1},
    {OpKind::kEinsum, 12, "equation"},
};

}  // namespace

std::span<const OpForm> GemmForms() { return kForms; }

}  // namespace slipway::onnx_form
