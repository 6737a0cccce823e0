#include "convert/import/onnx/op_import.h"

namespace slipway::onnx_import {
namespace {

// Before opset 7 `broadcast` said what now goes without saying.
absl::Status Gemm(OpContext& op) {
  op.attributes.Erase("broadcast");
  op.Emit();
  return absl::OkStatus();
}

constexpr OpImport kOps[] = {
    {"Gemm", OpKind::kGemm, Gemm},
    {"MatMul", OpKind::kMatMul},
    {"Einsum", OpKind::kEinsum},
};

}  // namespace

std::span<const OpImport> GemmOps() { return kOps; }

}  // namespace slipway::onnx_import
