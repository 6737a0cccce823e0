#include "convert/onnx_form/form.h"

namespace slipway::onnx_form {
namespace {

constexpr OpForm kForms[] = {
    {OpKind::kCast, 9, "to"},
    {OpKind::kEyeLike, 9, "dtype k"},
};

}  // namespace

std::span<const OpForm> CastForms() { return kForms; }

}  // namespace slipway::onnx_form
