#include "convert/passes/widen_floats.h"

#include "convert/ir/cast.h"

namespace slipway {
namespace {

bool IsWidened(DataType type) { return IsFloat(type) && type != DataType::kFloat32; }

}  // namespace

absl::Status WidenFloats(Graph& graph) {
  for (Value* value : graph.values()) {
    if (!IsWidened(value->type)) continue;
    if (value->constant) value->constant = value->constant->Cast(DataType::kFloat32);
    value->type = DataType::kFloat32;
  }
  for (const auto& node : graph.nodes()) {
    if (node->kind == OpKind::kCast && IsWidened(CastType(*node)))
      node->attributes.Set("to", ElementTypeCode(DataType::kFloat32));
    if (const Tensor* value = node->attributes.TensorOf("value"); value != nullptr && IsWidened(value->type())) {
      node->attributes.Set("value", value->Cast(DataType::kFloat32));
    }
  }
  return absl::OkStatus();
}

}  // namespace slipway
