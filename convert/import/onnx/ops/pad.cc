#include "convert/import/onnx/op_import.h"

namespace slipway::onnx_import {
namespace {

// Pads and value were attributes before opset 11.
absl::Status Pad(OpContext& op) {
  op.AttributeToInput(op.opset < 2 ? "paddings" : "pads", 1);
  if (op.opset < 11) {
    const float value = op.attributes.Float("value", 0);
    op.attributes.Erase("value");
    const DataType type = op.input(0)->type == DataType::kUndefined ? DataType::kFloat32 : op.input(0)->type;
    if (value != 0) op.SetInput(2, op.Constant("value", Tensor::Scalar(value).Cast(type)));
  }
  if (op.input(1) == nullptr) return InvalidArgument("it has no pads");
  op.Emit();
  return absl::OkStatus();
}

constexpr OpImport kOps[] = {
    {"Pad", OpKind::kPad, Pad, 1, 4},
};

}  // namespace

std::span<const OpImport> PadOps() { return kOps; }

}  // namespace slipway::onnx_import
