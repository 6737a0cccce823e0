#include "convert/import/onnx/op_import.h"

namespace slipway::onnx_import {
namespace {

constexpr OpImport kOps[] = {
    {"Abs", OpKind::kAbs},     {"Neg", OpKind::kNeg},     {"Exp", OpKind::kExp},
    {"Log", OpKind::kLog},     {"Sqrt", OpKind::kSqrt},   {"Reciprocal", OpKind::kReciprocal},
    {"Floor", OpKind::kFloor}, {"Ceil", OpKind::kCeil},   {"Round", OpKind::kRound},
    {"Sign", OpKind::kSign},   {"Erf", OpKind::kErf},     {"Sin", OpKind::kSin},
    {"Cos", OpKind::kCos},     {"Tan", OpKind::kTan},     {"Asin", OpKind::kAsin},
    {"Acos", OpKind::kAcos},   {"Atan", OpKind::kAtan},   {"Sinh", OpKind::kSinh},
    {"Cosh", OpKind::kCosh},   {"Asinh", OpKind::kAsinh}, {"Acosh", OpKind::kAcosh},
    {"Atanh", OpKind::kAtanh}, {"Add", OpKind::kAdd},     {"Sub", OpKind::kSub},
    {"Mul", OpKind::kMul},     {"Div", OpKind::kDiv},     {"Pow", OpKind::kPow},
    {"Mod", OpKind::kMod},     {"Min", OpKind::kMin},     {"Max", OpKind::kMax},
    {"Sum", OpKind::kSum},     {"Mean", OpKind::kMean},
};

}  // namespace

std::span<const OpImport> ElementwiseOps() { return kOps; }

}  // namespace slipway::onnx_import
