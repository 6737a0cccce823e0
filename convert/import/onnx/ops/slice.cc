#include "convert/import/onnx/op_import.h"

namespace slipway::onnx_import {
namespace {

// Bounds were attributes before opset 10.
absl::Status Slice(OpContext& op) {
  op.AttributeToInput("starts", 1);
  op.AttributeToInput("ends", 2);
  op.AttributeToInput("axes", 3);
  if (op.input(1) == nullptr || op.input(2) == nullptr) return InvalidArgument("it has no starts or no ends");
  op.Emit();
  return absl::OkStatus();
}

// Sizes were an attribute before opset 13; without sizes the parts are equal and as many as the outputs (opset 18: num_outputs).
absl::Status Split(OpContext& op) {
  op.AttributeToInput("split", 1);
  const auto outputs = static_cast<int64_t>(op.output_names.size());
  if (op.input(1) == nullptr) {
    const int64_t parts = op.attributes.Int("num_outputs", outputs);
    if (parts != outputs) return InvalidArgument("num_outputs is {}, but the node has {} outputs", parts, outputs);
    op.attributes.Set("num_outputs", parts);
  } else {
    op.attributes.Erase("num_outputs");
  }
  op.Emit();
  return absl::OkStatus();
}

// Axis 1 was the default before opset 4; later it must be given.
absl::Status Concat(OpContext& op) {
  if (op.opset < 4 && !op.attributes.Has("axis")) op.attributes.Set("axis", int64_t{1});
  if (!op.attributes.Has("axis")) return InvalidArgument("it has no axis");
  op.Emit();
  return absl::OkStatus();
}

constexpr OpImport kOps[] = {
    {"Concat", OpKind::kConcat, Concat},
    {"Split", OpKind::kSplit, Split},
    {"Slice", OpKind::kSlice, Slice, 1, 5},
    {"CenterCropPad", OpKind::kCenterCropPad},
    {"Compress", OpKind::kCompress},
    {"Trilu", OpKind::kTrilu},
    {"ReverseSequence", OpKind::kReverseSequence},
};

}  // namespace

std::span<const OpImport> SliceOps() { return kOps; }

}  // namespace slipway::onnx_import
