#include "convert/onnx_form/form.h"

namespace slipway::onnx_form {
namespace {

// Sizes became an input with opset 13; the number of outputs, and with it unequal parts, came with 18.
int NeedsSplit(const Node& node) {
  if (node.input(1) != nullptr) return node.constant(1) == nullptr ? 13 : 2;
  const Value* x = node.input(0);
  const int64_t axis = node.attributes.Int("axis", 0);
  const int64_t from_start = axis < 0 ? axis + x->rank() : axis;
  if (x->rank() < 0 || from_start < 0 || from_start >= x->rank() || !(*x->shape)[from_start].IsKnown()) return 18;
  return (*x->shape)[from_start].value() % static_cast<int64_t>(node.outputs.size()) == 0 ? 2 : 18;
}

void LowerSplit(NodeForm& form) {
  if (form.opset() < 13) form.InputToAttribute(1, "split");
  form.attributes.Erase("num_outputs");
  if (form.opset() >= 18 && form.node.input(1) == nullptr)
    form.attributes.Set("num_outputs", static_cast<int64_t>(form.node.outputs.size()));
}

constexpr OpForm kForms[] = {
    {OpKind::kConcat, 4, "axis"},
    {OpKind::kSplit, 2, "axis split num_outputs", NeedsSplit, LowerSplit},
    {OpKind::kSlice, 10},
    {OpKind::kCenterCropPad, 18, "axes"},
    {OpKind::kCompress, 9, "axis"},
    {OpKind::kTrilu, 14, "upper"},
    {OpKind::kReverseSequence, 10, "batch_axis time_axis"},
};

}  // namespace

std::span<const OpForm> SliceForms() { return kForms; }

}  // namespace slipway::onnx_form
