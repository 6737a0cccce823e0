#include "convert/import/onnx/op_import.h"

namespace slipway::onnx_import {
namespace {

constexpr OpImport kOps[] = {
    {"Gemm", OpKind::kGemm},
    {"MatMul", OpKind::kMatMul},
    {"Einsum", OpKind::kEinsum},
};

}  // namespace

std::span<const OpImport> GemmOps() { return kOps; }

}  // namespace slipway::onnx_import
