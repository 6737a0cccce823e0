#include "convert/onnx_form/form.h"

namespace slipway::onnx_form {
namespace {

// Floats came with opset 11, before that only integers and booleans.
int NeedsEqual(const Node& node) {
  if (node.input(0) == nullptr) return 7;
  return node.input(0)->type == DataType::kString ? 19 : IsFloat(node.input(0)->type) ? 11 : 7;
}

// Integers came with opset 9.
int NeedsOrder(const Node& node) { return node.input(0) != nullptr && !IsFloat(node.input(0)->type) ? 9 : 7; }

constexpr OpForm kForms[] = {
    {OpKind::kIsNaN, 9},
    {OpKind::kIsInf, 10, "detect_negative detect_positive"},
    {OpKind::kNot, 1},
    {OpKind::kEqual, 7, "", NeedsEqual},
    {OpKind::kGreater, 7, "", NeedsOrder},
    {OpKind::kLess, 7, "", NeedsOrder},
    {OpKind::kGreaterOrEqual, 12},
    {OpKind::kLessOrEqual, 12},
    {OpKind::kAnd, 7},
    {OpKind::kOr, 7},
    {OpKind::kXor, 7},
    {OpKind::kWhere, 9},
    {OpKind::kBitwiseNot, 18},
    {OpKind::kBitwiseAnd, 18},
    {OpKind::kBitwiseOr, 18},
    {OpKind::kBitwiseXor, 18},
    {OpKind::kBitShift, 11, "direction"},
};

}  // namespace

std::span<const OpForm> LogicForms() { return kForms; }

}  // namespace slipway::onnx_form
