#include "convert/onnx_form/form.h"

namespace slipway::onnx_form {
namespace {

int64_t AxisFromEnd(const Node& node) {
  const int64_t axis = node.attributes.Int("axis", -1);
  return axis < 0 || node.input(0)->rank() < 0 ? axis : axis - node.input(0)->rank();
}

// Before opset 13 all axes from `axis` on were normalised together: the same only for the last one.
int NeedsSoftmax(const Node& node) { return AxisFromEnd(node) == -1 && node.input(0)->rank() > 0 ? 1 : 13; }

void LowerSoftmax(NodeForm& form) {
  // The default differs between opsets, and negative axes came with opset 11.
  if (form.opset() < 13)
    form.attributes.Set("axis", form.node.input(0)->rank() - 1);
  else
    form.attributes.Set("axis", form.node.attributes.Int("axis", -1));
}

constexpr OpForm kForms[] = {
    {OpKind::kSoftmax, 1, "axis", NeedsSoftmax, LowerSoftmax},
    {OpKind::kLogSoftmax, 1, "axis", NeedsSoftmax, LowerSoftmax},
    {OpKind::kHardmax, 1, "axis", NeedsSoftmax, LowerSoftmax},
};

}  // namespace

std::span<const OpForm> SoftmaxForms() { return kForms; }

}  // namespace slipway::onnx_form
