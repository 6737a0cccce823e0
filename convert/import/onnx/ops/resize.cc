#include "convert/import/onnx/op_import.h"

namespace slipway::onnx_import {
namespace {

bool IsEmptyConstant(const Value* value) {
  return value != nullptr && value->IsConstant() && value->constant->size() == 0;
}

// What Upsample and opset 10's Resize meant, said in opset 11's words.
void SetOldCoordinates(Attributes& attributes) {
  attributes.Set("coordinate_transformation_mode", std::string("asymmetric"));
  attributes.Set("nearest_mode", std::string("floor"));
}

absl::Status Upsample(OpContext& op) {
  if (op.attributes.Has("scales")) {
    op.SetInput(1, op.Constant("scales", Tensor::Float32s(op.attributes.Floats("scales"))));
    op.attributes.Erase("scales");
  }
  Value* scales = op.input(1);
  if (scales == nullptr) return InvalidArgument("it has no scales");
  if (op.attributes.String("mode", "nearest") == "bilinear") op.attributes.Set("mode", std::string("linear"));
  SetOldCoordinates(op.attributes);
  op.Emit(OpKind::kResize, {op.input(0), nullptr, scales}, op.attributes);
  return absl::OkStatus();
}

// Opset 10: (X, scales). Later: (X, roi, scales, sizes), where an empty tensor also means "left out".
absl::Status Resize(OpContext& op) {
  if (op.opset < 11) {
    if (op.input(1) == nullptr) return InvalidArgument("it has no scales");
    SetOldCoordinates(op.attributes);
    op.Emit(OpKind::kResize, {op.input(0), nullptr, op.input(1)}, op.attributes);
    return absl::OkStatus();
  }
  for (size_t i = 1; i < op.inputs.size(); ++i) {
    if (IsEmptyConstant(op.input(i))) op.inputs[i] = nullptr;
  }
  // roi means something to one mode only; exporters fill it with anything.
  if (op.attributes.String("coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize" &&
      op.inputs.size() > 1)
    op.inputs[1] = nullptr;
  if (op.input(3) != nullptr && op.input(2) != nullptr) op.inputs[2] = nullptr;
  if (op.input(2) == nullptr && op.input(3) == nullptr) return InvalidArgument("it has neither scales nor sizes");
  op.Emit();
  return absl::OkStatus();
}

// Opset 20 renamed the modes.
absl::Status GridSample(OpContext& op) {
  const std::string mode = op.attributes.String("mode", "bilinear");
  if (mode == "linear") op.attributes.Set("mode", std::string("bilinear"));
  if (mode == "cubic") op.attributes.Set("mode", std::string("bicubic"));
  op.Emit();
  return absl::OkStatus();
}

constexpr OpImport kOps[] = {
    {"Upsample", OpKind::kResize, Upsample, 1, 2},
    {"Resize", OpKind::kResize, Resize, 1, 4},
    {"GridSample", OpKind::kGridSample, GridSample},
};

}  // namespace

std::span<const OpImport> ResizeOps() { return kOps; }

}  // namespace slipway::onnx_import
