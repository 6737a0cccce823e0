#include "convert/import/onnx/op_import.h"

namespace slipway::onnx_import {
namespace {

// Opset 8's Scan had a batch axis and sequence lengths.
absl::Status Scan(OpContext& op) {
  if (op.opset < 9) return Unimplemented("opset 8's batched Scan is not supported; export with opset 9 or newer");
  op.Emit();
  return absl::OkStatus();
}

constexpr OpImport kOps[] = {
    {"If", OpKind::kIf},
    {"Loop", OpKind::kLoop, nullptr, 0, -1},
    {"Scan", OpKind::kScan, Scan},
};

}  // namespace

std::span<const OpImport> ControlFlowOps() { return kOps; }

}  // namespace slipway::onnx_import
