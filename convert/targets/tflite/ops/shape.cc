// SHAPE, RANGE, FILL.
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

absl::Status CheckRange(const Node& node) {
  const DataType type = node.output()->type;
  if (type != DataType::kFloat32 && type != DataType::kInt32 && type != DataType::kInt64)
    return Unsupported(node, fmt::format("a range of {}", Name(type)), "");
  return absl::OkStatus();
}

void EmitRange(const Node& node, ModelBuilder& out) {
  out.OpWith<schema::RangeOptions>(schema::BuiltinOperator::RANGE,
                                   {out.Value(node.input(0)), out.Value(node.input(1)), out.Value(node.input(2))},
                                   {out.Value(node.output())}, 1, [](auto&) {});
}

absl::Status CheckFill(const Node& node) {
  const DataType type = node.output()->type;
  if (type != DataType::kFloat32 && type != DataType::kInt32 && type != DataType::kInt64 && type != DataType::kBool)
    return Unsupported(node, fmt::format("elements of type {}", Name(type)), "");
  return absl::OkStatus();
}

void EmitFill(const Node& node, ModelBuilder& out) {
  const Tensor* given = node.attributes.TensorOf("value");
  const Tensor value = given != nullptr ? given->Reshaped({}) : Tensor::Scalar(0.0f);
  out.OpWith<schema::FillOptions>(
      schema::BuiltinOperator::FILL,
      {out.Value(node.input(0)), out.Constant(node.output()->name + "/element", value.Cast(node.output()->type))},
      {out.Value(node.output())}, 1, [](auto&) {});
}

constexpr OpEntry kEntries[] = {{OpKind::kShape, CheckShape, EmitShape},
                                {OpKind::kRange, CheckRange, EmitRange},
                                {OpKind::kConstantOfShape, CheckFill, EmitFill}};

}  // namespace

std::span<const OpEntry> ShapeOps() { return kEntries; }

}  // namespace slipway::tflite
