#include "convert/onnx_form/form.h"

namespace slipway::onnx_form {
namespace {

bool IsSmallInteger(DataType type) {
  return type == DataType::kInt8 || type == DataType::kInt16 || type == DataType::kUInt8 || type == DataType::kUInt16;
}

int NeedsArithmetic(const Node& node) {
  return node.input(0) != nullptr && IsSmallInteger(node.input(0)->type) ? 14 : 7;
}

// Integers, and an exponent of another type than the base, came with opset 12.
int NeedsPow(const Node& node) {
  return node.input(0) != nullptr && node.input(1) != nullptr &&
                 (!IsFloat(node.input(0)->type) || node.input(0)->type != node.input(1)->type)
             ? 12
             : 7;
}

int NeedsMinMax(const Node& node) { return node.input(0) != nullptr && !IsFloat(node.input(0)->type) ? 12 : 8; }

constexpr OpForm kForms[] = {
    {OpKind::kAbs, 6},
    {OpKind::kNeg, 6},
    {OpKind::kExp, 6},
    {OpKind::kLog, 6},
    {OpKind::kSqrt, 6},
    {OpKind::kReciprocal, 6},
    {OpKind::kFloor, 6},
    {OpKind::kCeil, 6},
    {OpKind::kRound, 11},
    {OpKind::kSign, 9},
    {OpKind::kErf, 9},
    {OpKind::kSin, 7},
    {OpKind::kCos, 7},
    {OpKind::kTan, 7},
    {OpKind::kAsin, 7},
    {OpKind::kAcos, 7},
    {OpKind::kAtan, 7},
    {OpKind::kSinh, 9},
    {OpKind::kCosh, 9},
    {OpKind::kAsinh, 9},
    {OpKind::kAcosh, 9},
    {OpKind::kAtanh, 9},
    {OpKind::kAdd, 7, "", NeedsArithmetic},
    {OpKind::kSub, 7, "", NeedsArithmetic},
    {OpKind::kMul, 7, "", NeedsArithmetic},
    {OpKind::kDiv, 7, "", NeedsArithmetic},
    {OpKind::kPow, 7, "", NeedsPow},
    {OpKind::kMod, 10, "fmod"},
    {OpKind::kMin, 8, "", NeedsMinMax},
    {OpKind::kMax, 8, "", NeedsMinMax},
    {OpKind::kSum, 8},
    {OpKind::kMean, 8},
};

}  // namespace

std::span<const OpForm> ElementwiseForms() { return kForms; }

}  // namespace slipway::onnx_form
