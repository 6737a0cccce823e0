// SHAPE.
#include "convert/targets/tflite/ops/ops.h"

namespace slipway::tflite {
namespace {

absl::Status CheckShape(const Node& node) {
  return node.attributes.Has("start") || node.attributes.Has("end") ? Unsupported(node, "a part of a shape", "")
                                                                    : absl::OkStatus();
}

void EmitShape(const Node& node, ModelBuilder& out) {
  out.OpWith<schema::ShapeOptions>(schema::BuiltinOperator::SHAPE, {out.Value(node.input(0))},
                                   {out.Value(node.output())}, 1,
                                   [](auto& options) { options.add_out_type(schema::TensorType::INT64); });
}

constexpr OpEntry kEntries[] = {{OpKind::kShape, CheckShape, EmitShape}};

}  // namespace

std::span<const OpEntry> ShapeOps() { return kEntries; }

}  // namespace slipway::tflite
