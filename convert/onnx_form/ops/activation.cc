#include "convert/onnx_form/form.h"

namespace slipway::onnx_form {
namespace {

// Integers came with opset 14.
int NeedsRelu(const Node& node) { return node.input(0) != nullptr && IsInteger(node.input(0)->type) ? 14 : 6; }

// Bounds as inputs came with opset 11, integers with 12.
int NeedsClip(const Node& node) {
  if (node.input(0) != nullptr && IsInteger(node.input(0)->type)) return 12;
  for (size_t i : {1, 2}) {
    if (node.input(i) != nullptr && node.constant(i) == nullptr) return 11;
  }
  return 6;
}

void LowerClip(NodeForm& form) {
  form.attributes.Erase("min");
  form.attributes.Erase("max");
  if (form.opset() >= 11) return;
  for (const auto& [name, i] : {std::pair{"max", size_t{2}}, {"min", size_t{1}}}) {
    if (const Tensor* bound = form.node.constant(i); bound != nullptr)
      form.attributes.Set(name, bound->ToFloats().at(0));
    form.DropInput(i);
  }
}

constexpr OpForm kForms[] = {
    {OpKind::kRelu, 6, "", NeedsRelu},
    {OpKind::kLeakyRelu, 6, "alpha"},
    {OpKind::kPRelu, 7},
    {OpKind::kThresholdedRelu, 10, "alpha"},
    {OpKind::kElu, 6, "alpha"},
    {OpKind::kSelu, 6, "alpha gamma"},
    {OpKind::kCelu, 12, "alpha"},
    {OpKind::kGelu, 20, "approximate"},
    {OpKind::kSigmoid, 6},
    {OpKind::kHardSigmoid, 6, "alpha beta"},
    {OpKind::kHardSwish, 14},
    {OpKind::kSwish, 24, "alpha"},
    {OpKind::kMish, 18},
    {OpKind::kTanh, 6},
    {OpKind::kSoftplus, 1},
    {OpKind::kSoftsign, 1},
    {OpKind::kClip, 6, "min max", NeedsClip, LowerClip},
    {OpKind::kShrink, 9, "bias lambd"},
};

}  // namespace

std::span<const OpForm> ActivationForms() { return kForms; }

}  // namespace slipway::onnx_form
