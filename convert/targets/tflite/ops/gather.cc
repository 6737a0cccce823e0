// GATHER, GATHER_ND, SCATTER_ND, ONE_HOT.
#include <algorithm>

#include "convert/targets/tflite/ops/ops.h"

namespace slipway::tflite {
namespace {

using schema::BuiltinOperator;

absl::Status CheckGather(const Node& node) {
  RETURN_IF_ERROR(CheckRank(node, node.input(0), 8));
  if (node.constant(1) != nullptr) {
    for (int64_t index : node.constant(1)->ToInt64s()) {
      if (index < 0)
        return Unsupported(node, "indices counted from the end",
                           "rule gather-from-start renumbers those within a known size");
    }
  }
  return absl::OkStatus();
}

void EmitGather(const Node& node, ModelBuilder& out) {
  const int64_t axis = AxisOf(node, node.input(0), 0);
  out.OpWith<schema::GatherOptions>(BuiltinOperator::GATHER, {out.Value(node.input(0)), out.Value(node.input(1))},
                                    {out.Value(node.output())}, 1, [=](auto& options) { options.add_axis(axis); });
}

absl::Status CheckGatherNd(const Node& node) {
  if (node.attributes.Int("batch_dims", 0) != 0 && (!node.input(1)->shape || node.input(1)->shape->back() != Dim(1)))
    return Unsupported(node, "batch_dims with indices of several axes", "fix the input's sizes with --shape");
  return CheckRank(node, node.input(0), 8);
}

// With batch axes: GATHER, whose result keeps the indices' last axis, of one.
void EmitGatherNd(const Node& node, ModelBuilder& out) {
  if (const int64_t batch = node.attributes.Int("batch_dims", 0); batch != 0) {
    const int64_t last = node.input(1)->rank() - 1;
    Shape shape = *node.output()->shape;
    shape.insert(shape.begin() + last, Dim(1));
    const int32_t gathered = out.Intermediate(node.output()->name + "/gathered", node.output()->type, shape);
    out.OpWith<schema::GatherOptions>(BuiltinOperator::GATHER, {out.Value(node.input(0)), out.Value(node.input(1))},
                                      {gathered}, 1, [=](auto& options) {
                                        options.add_axis(batch);
                                        options.add_batch_dims(batch);
                                      });
    return out.Squeeze(gathered, last, out.Value(node.output()));
  }
  out.OpWith<schema::GatherNdOptions>(BuiltinOperator::GATHER_ND, {out.Value(node.input(0)), out.Value(node.input(1))},
                                      {out.Value(node.output())}, 1, [](auto&) {});
}

absl::Status CheckOneHot(const Node& node) {
  RETURN_IF_ERROR(CheckConstant(node, 1, "a depth"));
  RETURN_IF_ERROR(CheckConstant(node, 2, "values"));
  if (node.input(0)->type != DataType::kInt64 && node.input(0)->type != DataType::kInt32)
    return Unsupported(node, fmt::format("indices of type {}", Name(node.input(0)->type)), "");
  const DataType type = node.output()->type;
  if (type != DataType::kFloat32 && type != DataType::kInt32 && type != DataType::kInt64 && type != DataType::kBool)
    return Unsupported(node, fmt::format("values of type {}", Name(type)), "");
  return absl::OkStatus();
}

void EmitOneHot(const Node& node, ModelBuilder& out) {
  const std::string& name = node.output()->name;
  const int64_t depth = node.constant(1)->ToInt64s()[0], rank = node.output()->rank();
  const int64_t given = node.attributes.Int("axis", -1), axis = given < 0 ? given + rank : given;
  const std::vector<double> values = node.constant(2)->ToDoubles();
  const auto number = [&](std::string_view what, double value) {
    return out.Constant(fmt::format("{}/{}", name, what), Tensor::From<double>({}, {value}).Cast(node.output()->type));
  };
  out.OpWith<schema::OneHotOptions>(
      BuiltinOperator::ONE_HOT,
      {out.Value(node.input(0)), out.Int(name + "/depth", depth), number("on", values[1]), number("off", values[0])},
      {out.Value(node.output())}, 1, [=](auto& options) { options.add_axis(axis == rank - 1 ? -1 : axis); });
}

absl::Status CheckScatterNd(const Node& node) {
  if (!IsZeros(node.input(0)) || node.attributes.String("reduction", "none") != "add" ||
      node.input(0)->type != DataType::kFloat32 || node.input(1)->type != DataType::kInt32)
    return Unsupported(node, "SCATTER_ND adds numbers onto zeros", "rule scatter-onto-zeros says others so");
  return absl::OkStatus();
}

void EmitScatterNd(const Node& node, ModelBuilder& out) {
  const std::string name = node.output()->name + "/shape";
  const std::optional<std::vector<int64_t>> sizes = StaticShape(*node.output()->shape);
  const int32_t shape =
      sizes ? out.Ints(name, *sizes) : out.Intermediate(name, DataType::kInt32, {node.output()->rank()});
  if (!sizes) {
    out.OpWith<schema::ShapeOptions>(BuiltinOperator::SHAPE, {out.Value(node.input(0))}, {shape}, 1,
                                     [](auto& options) { options.add_out_type(schema::TensorType::INT32); });
  }
  out.OpWith<schema::ScatterNdOptions>(BuiltinOperator::SCATTER_ND,
                                       {out.Value(node.input(1)), out.Value(node.input(2)), shape},
                                       {out.Value(node.output())}, 1, [](auto&) {});
}

constexpr OpEntry kEntries[] = {{OpKind::kScatterND, CheckScatterNd, EmitScatterNd},
                                {OpKind::kGather, CheckGather, EmitGather},
                                {OpKind::kGatherND, CheckGatherNd, EmitGatherNd},
                                {OpKind::kOneHot, CheckOneHot, EmitOneHot}};

}  // namespace

bool IsZeros(const Value* value) {
  if (value->IsConstant()) {
    const std::vector<float> numbers = value->constant->ToFloats();
    return std::ranges::all_of(numbers, [](float x) { return x == 0; });
  }
  if (value->producer == nullptr || value->producer->kind != OpKind::kConstantOfShape) return false;
  const Tensor* fill = value->producer->attributes.TensorOf("value");
  return fill == nullptr || fill->ToFloats() == std::vector<float>{0};
}

std::span<const OpEntry> GatherOps() { return kEntries; }

}  // namespace slipway::tflite
