#include "convert/onnx_form/form.h"

namespace slipway::onnx_form {
namespace {

constexpr OpForm kForms[] = {
    {OpKind::kShape, 1, "end@15= start@15=0"},
    {OpKind::kSize, 1},
    {OpKind::kConstantOfShape, 9, "value"},
    {OpKind::kRange, 11},
};

}  // namespace

std::span<const OpForm> ShapeForms() { return kForms; }

}  // namespace slipway::onnx_form
