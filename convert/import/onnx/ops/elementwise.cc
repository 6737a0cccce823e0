#include "convert/import/onnx/op_import.h"

namespace slipway::onnx_import {
namespace {

// Before opset 7 the second operand ran along `axis` of the first, and only when `broadcast` was set.
absl::Status LegacyBroadcast(OpContext& op) {
  if (op.opset < 7 && op.attributes.Int("broadcast", 0) != 0 && op.attributes.Has("axis")) {
    Value* a = op.input(0);
    Value* b = op.input(1);
    if (a->rank() < 0 || b->rank() < 0) {
      return Unimplemented("it broadcasts along an axis of an unknown rank; give the input's size with --shape");
    }
    const int64_t axis = op.attributes.Int("axis", 0);
    std::vector<int64_t> trailing;
    for (int64_t i = b->rank(); i < a->rank() - (axis < 0 ? axis + a->rank() : axis); ++i) trailing.push_back(i);
    if (!trailing.empty()) {
      op.inputs[1] = op.Make(OpKind::kUnsqueeze, {b, op.Constant("axes", Tensor::Int64s(trailing))});
    }
  }
  op.attributes.Erase("broadcast");
  op.attributes.Erase("axis");
  op.Emit();
  return absl::OkStatus();
}

constexpr OpImport kOps[] = {
    {"Abs", OpKind::kAbs},
    {"Neg", OpKind::kNeg},
    {"Exp", OpKind::kExp},
    {"Log", OpKind::kLog},
    {"Sqrt", OpKind::kSqrt},
    {"Reciprocal", OpKind::kReciprocal},
    {"Floor", OpKind::kFloor},
    {"Ceil", OpKind::kCeil},
    {"Round", OpKind::kRound},
    {"Sign", OpKind::kSign},
    {"Erf", OpKind::kErf},
    {"Sin", OpKind::kSin},
    {"Cos", OpKind::kCos},
    {"Tan", OpKind::kTan},
    {"Asin", OpKind::kAsin},
    {"Acos", OpKind::kAcos},
    {"Atan", OpKind::kAtan},
    {"Sinh", OpKind::kSinh},
    {"Cosh", OpKind::kCosh},
    {"Asinh", OpKind::kAsinh},
    {"Acosh", OpKind::kAcosh},
    {"Atanh", OpKind::kAtanh},
    {"Add", OpKind::kAdd, LegacyBroadcast},
    {"Sub", OpKind::kSub, LegacyBroadcast},
    {"Mul", OpKind::kMul, LegacyBroadcast},
    {"Div", OpKind::kDiv, LegacyBroadcast},
    {"Pow", OpKind::kPow, LegacyBroadcast},
    {"Mod", OpKind::kMod},
    {"Min", OpKind::kMin},
    {"Max", OpKind::kMax},
    {"Sum", OpKind::kSum},
    {"Mean", OpKind::kMean},
};

}  // namespace

std::span<const OpImport> ElementwiseOps() { return kOps; }

}  // namespace slipway::onnx_import
