#include "convert/onnx_form/form.h"

namespace slipway::onnx_form {
namespace {

// Negative axes came with opset 11, other types than float with 9.
int NeedsFlatten(const Node& node) { return node.attributes.Int("axis", 1) < 0 ? 11 : 9; }

// Axes became an input with opset 13; negative ones came with 11.
int NeedsSqueeze(const Node& node) {
  const Tensor* axes = node.constant(1);
  if (node.input(1) != nullptr && axes == nullptr) return 13;
  if (axes != nullptr) {
    for (int64_t axis : axes->ToInt64s()) {
      if (axis < 0) return 11;
    }
  }
  return 1;
}

void LowerSqueeze(NodeForm& form) {
  if (form.opset() < 13) form.InputToAttribute(1, "axes");
}

constexpr OpForm kForms[] = {
    {OpKind::kReshape, 5, "allowzero@14=0"},
    {OpKind::kFlatten, 1, "axis", NeedsFlatten},
    {OpKind::kTranspose, 1, "perm"},
    {OpKind::kSqueeze, 1, "axes", NeedsSqueeze, LowerSqueeze},
    {OpKind::kUnsqueeze, 1, "axes", NeedsSqueeze, LowerSqueeze},
    {OpKind::kExpand, 8},
    {OpKind::kTile, 6},
    {OpKind::kDepthToSpace, 1, "blocksize mode@11=DCR"},
    {OpKind::kSpaceToDepth, 1, "blocksize mode@28=DCR"},
    {OpKind::kIdentity, 1},
};

}  // namespace

std::span<const OpForm> ReshapeForms() { return kForms; }

}  // namespace slipway::onnx_form
