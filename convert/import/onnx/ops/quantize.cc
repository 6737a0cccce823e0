#include "convert/import/onnx/op_import.h"

namespace slipway::onnx_import {
namespace {

constexpr OpImport kOps[] = {
    {"QuantizeLinear", OpKind::kQuantizeLinear},
    {"DequantizeLinear", OpKind::kDequantizeLinear},
};

}  // namespace

std::span<const OpImport> QuantizeOps() { return kOps; }

}  // namespace slipway::onnx_import
