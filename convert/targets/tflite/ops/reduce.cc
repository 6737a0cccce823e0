// MEAN, SUM, REDUCE_MAX, REDUCE_MIN, REDUCE_PROD, ARG_MAX, ARG_MIN, CUMSUM, TOPK_V2.
#include "convert/targets/tflite/ops/ops.h"

namespace slipway::tflite {
namespace {

using schema::BuiltinOperator;

BuiltinOperator OperatorOf(OpKind kind) {
  switch (kind) {
    case OpKind::kReduceMean:
      return BuiltinOperator::MEAN;
    case OpKind::kReduceSum:
      return BuiltinOperator::SUM;
    case OpKind::kReduceMax:
      return BuiltinOperator::REDUCE_MAX;
    case OpKind::kReduceMin:
      return BuiltinOperator::REDUCE_MIN;
    default:
      return BuiltinOperator::REDUCE_PROD;
  }
}

absl::Status CheckReduce(const Node& node) {
  RETURN_IF_ERROR(CheckConstant(node, 1, "axes"));
  const DataType type = node.input(0)->type;
  if (type != DataType::kFloat32 && type != DataType::kInt32 && type != DataType::kInt64) {
    return Unsupported(node, fmt::format("data of type {}", Name(type)), "");
  }
  return CheckRank(node, node.input(0), 8);
}

void EmitReduce(const Node& node, ModelBuilder& out) {
  const int64_t rank = node.input(0)->rank();
  std::vector<int64_t> axes;
  if (node.constant(1) != nullptr) axes = node.constant(1)->ToInt64s();
  if (axes.empty() && node.attributes.Int("noop_with_empty_axes", 0) == 0) {
    for (int64_t i = 0; i < rank; ++i) axes.push_back(i);
  }
  for (int64_t& axis : axes) axis = axis < 0 ? axis + rank : axis;
  const bool keep = node.attributes.Int("keepdims", 1) != 0;
  out.OpWith<schema::ReducerOptions>(
      OperatorOf(node.kind), {out.Value(node.input(0)), out.Ints(node.output()->name + "/axes", axes)},
      {out.Value(node.output())}, 1, [=](auto& options) { options.add_keep_dims(keep); });
}

absl::Status CheckArg(const Node& node) {
  if (node.attributes.Int("select_last_index", 0) != 0)
    return Unsupported(node, "the last of equal extremes", "the operator takes the first");
  if (node.attributes.Int("keepdims", 1) != 0)
    return Unsupported(node, "a kept axis", "rule arg-without-axis reshapes after it");
  const DataType type = node.input(0)->type;
  if (type != DataType::kFloat32 && type != DataType::kInt32)
    return Unsupported(node, fmt::format("data of type {}", Name(type)), "");
  return absl::OkStatus();
}

void EmitArg(const Node& node, ModelBuilder& out) {
  const int32_t axis = out.Int(node.output()->name + "/axis", AxisOf(node, node.input(0), 0));
  const std::vector<int32_t> inputs = {out.Value(node.input(0)), axis}, outputs = {out.Value(node.output())};
  const auto fill = [](auto& options) { options.add_output_type(schema::TensorType::INT64); };
  if (node.kind == OpKind::kArgMax)
    return out.OpWith<schema::ArgMaxOptions>(BuiltinOperator::ARG_MAX, inputs, outputs, 1, fill);
  out.OpWith<schema::ArgMinOptions>(BuiltinOperator::ARG_MIN, inputs, outputs, 1, fill);
}

absl::Status CheckCumSum(const Node& node) {
  const DataType type = node.input(0)->type;
  if (type != DataType::kFloat32 && type != DataType::kInt32 && type != DataType::kInt64)
    return Unsupported(node, fmt::format("data of type {}", Name(type)), "");
  return CheckConstant(node, 1, "an axis");
}

void EmitCumSum(const Node& node, ModelBuilder& out) {
  const bool exclusive = node.attributes.Int("exclusive", 0) != 0, reverse = node.attributes.Int("reverse", 0) != 0;
  const int32_t axis = out.Int(node.output()->name + "/axis", node.constant(1)->ToInt64s()[0]);
  out.OpWith<schema::CumsumOptions>(BuiltinOperator::CUMSUM, {out.Value(node.input(0)), axis},
                                    {out.Value(node.output())}, 1, [=](auto& options) {
                                      options.add_exclusive(exclusive);
                                      options.add_reverse(reverse);
                                    });
}

absl::Status CheckTopK(const Node& node) {
  RETURN_IF_ERROR(CheckConstant(node, 1, "k"));
  if (AxisOf(node, node.input(0), -1) != node.input(0)->rank() - 1)
    return Unsupported(node, "an axis that is not the last", "rule top-k-last-axis moves it");
  if (node.attributes.Int("largest", 1) == 0)
    return Unsupported(node, "the least elements", "rule top-k-largest negates");
  if (node.input(0)->type != DataType::kFloat32)
    return Unsupported(node, fmt::format("data of type {}", Name(node.input(0)->type)), "");
  return absl::OkStatus();
}

// Indices come as int32.
void EmitTopK(const Node& node, ModelBuilder& out) {
  const std::string name = node.input(0)->name + "/top";
  const slipway::Value *values = node.output(0), *indices = node.output(1);
  const Shape shape = (values != nullptr ? values : indices)->shape.value_or(Shape{});
  const int32_t top = values != nullptr ? out.Value(values) : out.Intermediate(name, DataType::kFloat32, shape);
  const int32_t narrow = out.Intermediate(name + "/indices", DataType::kInt32, shape);
  const int32_t k = out.Int(name + "/k", node.constant(1)->ToInt64s()[0]);
  out.OpWith<schema::TopKV2Options>(BuiltinOperator::TOPK_V2, {out.Value(node.input(0)), k}, {top, narrow}, 1,
                                    [](auto&) {});
  if (indices == nullptr) return;
  out.OpWith<schema::CastOptions>(BuiltinOperator::CAST, {narrow}, {out.Value(indices)}, 1, [](auto& options) {
    options.add_in_data_type(schema::TensorType::INT32);
    options.add_out_data_type(schema::TensorType::INT64);
  });
}

constexpr OpEntry kEntries[] = {
    {OpKind::kReduceMean, CheckReduce, EmitReduce}, {OpKind::kReduceSum, CheckReduce, EmitReduce},
    {OpKind::kReduceMax, CheckReduce, EmitReduce},  {OpKind::kReduceMin, CheckReduce, EmitReduce},
    {OpKind::kReduceProd, CheckReduce, EmitReduce}, {OpKind::kArgMax, CheckArg, EmitArg},
    {OpKind::kArgMin, CheckArg, EmitArg},           {OpKind::kCumSum, CheckCumSum, EmitCumSum},
    {OpKind::kTopK, CheckTopK, EmitTopK},
};

}  // namespace

std::span<const OpEntry> ReduceOps() { return kEntries; }

}  // namespace slipway::tflite
