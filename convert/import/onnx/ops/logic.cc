#include "convert/import/onnx/op_import.h"

namespace slipway::onnx_import {
namespace {

constexpr OpImport kOps[] = {
    {"IsNaN", OpKind::kIsNaN},
    {"IsInf", OpKind::kIsInf},
    {"Not", OpKind::kNot},
    {"Equal", OpKind::kEqual},
    {"Greater", OpKind::kGreater},
    {"GreaterOrEqual", OpKind::kGreaterOrEqual},
    {"Less", OpKind::kLess},
    {"LessOrEqual", OpKind::kLessOrEqual},
    {"And", OpKind::kAnd},
    {"Or", OpKind::kOr},
    {"Xor", OpKind::kXor},
    {"Where", OpKind::kWhere},
    {"BitwiseNot", OpKind::kBitwiseNot},
    {"BitwiseAnd", OpKind::kBitwiseAnd},
    {"BitwiseOr", OpKind::kBitwiseOr},
    {"BitwiseXor", OpKind::kBitwiseXor},
    {"BitShift", OpKind::kBitShift},
};

}  // namespace

std::span<const OpImport> LogicOps() { return kOps; }

}  // namespace slipway::onnx_import
