#include <algorithm>

#include "common/base/error.h"
#include "convert/import/onnx/op_import.h"

namespace slipway::onnx_import {
namespace {

absl::Status CheckAxis(const OpContext& op, const Value* x, int64_t axis) {
  if (x == nullptr || !x->shape || (axis >= -x->rank() && axis < std::max<int64_t>(x->rank(), 1)))
    return absl::OkStatus();
  return InvalidArgument("axis {} of data with {} axes; it has to be in [{}, {}]", axis, x->rank(), -x->rank(),
                         x->rank() - 1);
}

// Before opset 13 the input is flattened to two axes at `axis` (default 1) and the second is normalised whole.
absl::Status Softmax(OpContext& op) {
  RETURN_IF_ERROR(CheckAxis(op, op.input(0), op.attributes.Int("axis", op.opset >= 13 ? -1 : 1)));
  if (op.opset >= 13) {
    op.Emit();
    return absl::OkStatus();
  }
  Value* x = op.input(0);
  const int64_t axis = op.attributes.Int("axis", 1);
  Attributes last;
  last.Set("axis", int64_t{-1});
  if (axis == -1 || (x->shape && axis == x->rank() - 1)) {
    op.Emit(op.kind, {x}, std::move(last));
    return absl::OkStatus();
  }
  Attributes flatten;
  flatten.Set("axis", axis);
  Value* flat = op.Make(OpKind::kFlatten, {x}, std::move(flatten));
  Value* normalised = op.Make(op.kind, {flat}, std::move(last));
  op.Emit(OpKind::kReshape, {normalised, op.Make(OpKind::kShape, {x})});
  return absl::OkStatus();
}

constexpr OpImport kOps[] = {
    {"Softmax", OpKind::kSoftmax, Softmax},
    {"LogSoftmax", OpKind::kLogSoftmax, Softmax},
    {"Hardmax", OpKind::kHardmax, Softmax},
};

}  // namespace

std::span<const OpImport> SoftmaxOps() { return kOps; }

}  // namespace slipway::onnx_import
