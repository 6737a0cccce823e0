#include "convert/ir/cast.h"

#include "convert/import/onnx/op_import.h"
#include "convert/import/onnx/tensor_load.h"

namespace slipway::onnx_import {
namespace {

absl::Status CheckType(OpContext& op, std::string_view attribute) {
  const int64_t code = op.attributes.Int(attribute, 0);
  if (ElementTypeOfCode(code) == DataType::kUndefined)
    return Unimplemented("it makes {}, which no target has", OnnxTypeName(code));
  return absl::OkStatus();
}

absl::Status Cast(OpContext& op) {
  if (op.opset < 6) return Unimplemented("before opset 6 it named its type; export with a newer opset");
  RETURN_IF_ERROR(CheckType(op, "to"));
  op.attributes.Erase("saturate");    // float8 only
  op.attributes.Erase("round_mode");  // float8e8m0 only
  op.Emit();
  return absl::OkStatus();
}

absl::Status CastLike(OpContext& op) {
  if (op.input(1)->type == DataType::kUndefined)
    return Unimplemented("the type to cast to ('{}') is not known", op.input(1)->name);
  Attributes attributes;
  attributes.Set("to", ElementTypeCode(op.input(1)->type));
  op.Emit(OpKind::kCast, {op.input(0)}, std::move(attributes));
  return absl::OkStatus();
}

absl::Status EyeLike(OpContext& op) {
  if (op.attributes.Has("dtype")) RETURN_IF_ERROR(CheckType(op, "dtype"));
  op.Emit();
  return absl::OkStatus();
}

constexpr OpImport kOps[] = {
    {"Cast", OpKind::kCast, Cast},
    {"CastLike", OpKind::kCast, CastLike, 2, 2},
    {"EyeLike", OpKind::kEyeLike, EyeLike},
};

}  // namespace

std::span<const OpImport> CastOps() { return kOps; }

}  // namespace slipway::onnx_import
