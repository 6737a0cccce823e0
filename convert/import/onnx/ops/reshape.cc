#include "convert/import/onnx/op_import.h"

namespace slipway::onnx_import {
namespace {

// Axes were an attribute before opset 13.
absl::Status Squeeze(OpContext& op) {
  op.AttributeToInput("axes", 1);
  if (op.kind == OpKind::kUnsqueeze && op.input(1) == nullptr) return InvalidArgument("it has no axes");
  op.Emit();
  return absl::OkStatus();
}

// The shape was an attribute before opset 5.
absl::Status Reshape(OpContext& op) {
  if (op.opset < 5) op.AttributeToInput("shape", 1);
  if (op.input(1) == nullptr) return InvalidArgument("it has no shape");
  op.Emit();
  return absl::OkStatus();
}

constexpr OpImport kOps[] = {
    {"Reshape", OpKind::kReshape, Reshape, 1, 2},
    {"Flatten", OpKind::kFlatten},
    {"Transpose", OpKind::kTranspose},
    {"Squeeze", OpKind::kSqueeze, Squeeze},
    {"Unsqueeze", OpKind::kUnsqueeze, Squeeze, 1, 2},
    {"Expand", OpKind::kExpand},
    {"Tile", OpKind::kTile},
    {"DepthToSpace", OpKind::kDepthToSpace},
    {"SpaceToDepth", OpKind::kSpaceToDepth},
    {"Identity", OpKind::kIdentity},
};

}  // namespace

std::span<const OpImport> ReshapeOps() { return kOps; }

}  // namespace slipway::onnx_import
