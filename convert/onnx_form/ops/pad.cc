#include "convert/onnx_form/form.h"

namespace slipway::onnx_form {
namespace {

// Inputs since opset 11, axes since 18, "wrap" since 19.
int NeedsPad(const Node& node) {
  if (node.attributes.String("mode", "constant") == "wrap") return 19;
  if (node.input(3) != nullptr) return 18;
  if (node.input(0) != nullptr && !IsFloat(node.input(0)->type)) return 13;
  if (node.constant(1) == nullptr || (node.input(2) != nullptr && node.constant(2) == nullptr)) return 11;
  return 2;
}

void LowerPad(NodeForm& form) {
  form.attributes.Erase("value");
  form.attributes.Erase("pads");
  if (form.opset() >= 11) return;
  if (const Tensor* value = form.node.constant(2); value != nullptr)
    form.attributes.Set("value", value->ToFloats().at(0));
  form.DropInput(2);
  form.InputToAttribute(1, "pads");
}

constexpr OpForm kForms[] = {
    {OpKind::kPad, 2, "mode pads value", NeedsPad, LowerPad},
};

}  // namespace

std::span<const OpForm> PadForms() { return kForms; }

}  // namespace slipway::onnx_form
