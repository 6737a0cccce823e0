#include "convert/targets/coreml/reader/op_reader.h"

namespace slipway::coreml_reader {
namespace {

// Indices in a type that ONNX's gathers take.
Value* Indices(OpReader& op, std::string_view parameter) {
  Value* value = op.Input(parameter);
  return value == nullptr || value->type == DataType::kInt32 ? value : op.CastTo(value, DataType::kInt64);
}

void RefuseBatchDims(OpReader& op) {
  if (op.Int("batch_dims", 0) != 0) op.Refuse("batch_dims is not read");
}

void ReadGather(OpReader& op) {
  Value* x = op.Input("x");
  RefuseBatchDims(op);
  op.Emit(OpKind::kGather, {x, Indices(op, "indices")}, Attrs({{"axis", op.Axis(op.Int("axis", 0), op.RankOf(x))}}));
}

void ReadGatherAlongAxis(OpReader& op) {
  Value* x = op.Input("x");
  op.Emit(OpKind::kGatherElements, {x, Indices(op, "indices")},
          Attrs({{"axis", op.Axis(op.Int("axis", 0), op.RankOf(x))}}));
}

void ReadGatherNd(OpReader& op) {
  Value* x = op.Input("x");
  op.Emit(OpKind::kGatherND, {x, op.CastTo(op.Input("indices"), DataType::kInt64)},
          Attrs({{"batch_dims", op.Int("batch_dims", 0)}}));
}

std::string ReductionOf(OpReader& op) {
  const std::string mode = op.String("mode", "add");
  if (mode == "update") return "none";
  if (mode == "add" || mode == "mul" || mode == "max" || mode == "min") return mode;
  op.Refuse("mode '" + mode + "' is not read");
  return "none";
}

void ReadScatterNd(OpReader& op) {
  const std::string reduction = ReductionOf(op);
  op.Emit(OpKind::kScatterND, {op.Input("data"), op.CastTo(op.Input("indices"), DataType::kInt64), op.Input("updates")},
          Attrs({{"reduction", reduction}}));
}

void ReadScatterAlongAxis(OpReader& op) {
  Value* data = op.Input("data");
  const std::string reduction = ReductionOf(op);
  op.Emit(OpKind::kScatterElements, {data, op.Input("indices"), op.Input("updates")},
          Attrs({{"axis", op.Axis(op.Int("axis", 0), op.RankOf(data))}, {"reduction", reduction}}));
}

void ReadTopk(OpReader& op) {
  Value* x = op.Input("x");
  const int64_t axis = op.Axis(op.Int("axis", -1), op.RankOf(x));
  const bool ascending = op.Bool("ascending", false);
  Value* count = op.ConstInt64s({op.Int("k", 1)});
  Value* values = op.Add(OpKind::kTopK, {x, count},
                         Attrs({{"axis", axis}, {"largest", int64_t{ascending ? 0 : 1}}, {"sorted", int64_t{1}}}));
  if (!op.ok()) return;
  Value* indices = op.SecondOutput(values, DataType::kInt64);
  op.Result(values, 0);
  op.Result(op.CastTo(indices, DataType::kInt32), 1);
}

void ReadArgsort(OpReader& op) {
  Value* x = op.Input("x");
  const int64_t axis = op.Axis(op.Int("axis", -1), op.RankOf(x));
  if (!op.ok()) return;
  const Dim& size = (*x->shape)[static_cast<size_t>(axis)];
  if (!size.IsKnown()) return op.Refuse("an axis of variable size is not read");
  const int64_t largest = op.Bool("ascending", false) ? 0 : 1;
  Value* values = op.Add(OpKind::kTopK, {x, op.ConstInt64s({size.value()})},
                         Attrs({{"axis", axis}, {"largest", largest}, {"sorted", int64_t{1}}}));
  op.Result(op.CastTo(op.SecondOutput(values, DataType::kInt64), DataType::kInt32));
}

// Rows of positions; ONNX gives columns.
void ReadNonZero(OpReader& op) {
  Value* columns = op.Add(OpKind::kNonZero, {op.Input("x")}, {}, DataType::kInt64);
  Value* rows = op.Add(OpKind::kTranspose, {columns}, Attrs({{"perm", std::vector<int64_t>{1, 0}}}));
  op.Result(op.CastTo(rows, DataType::kInt32));
}

void ReadOneHot(OpReader& op) {
  Value* indices = op.Input("indices");
  const int64_t rank = op.RankOf(indices) + 1;
  Value* size = op.CastTo(op.Input("one_hot_vector_size"), DataType::kInt64);
  if (!op.ok() || op.output_count() != 1) return;
  const DataType type = HeldType(op.output().type);
  const Tensor levels = Tensor::From<double>({2}, {op.Float("off_value", 0), op.Float("on_value", 1)}).Cast(type);
  op.Result(op.Add(OpKind::kOneHot, {op.CastTo(indices, DataType::kInt64), size, op.Const(levels)},
                   Attrs({{"axis", op.Axis(op.Int("axis", -1), rank)}}), type));
}

constexpr OpEntry kOps[] = {
    {"argsort", ReadArgsort},
    {"non_zero", ReadNonZero},
    {"gather", ReadGather},
    {"gather_along_axis", ReadGatherAlongAxis},
    {"gather_nd", ReadGatherNd},
    {"one_hot", ReadOneHot},
    {"scatter_along_axis", ReadScatterAlongAxis},
    {"scatter_nd", ReadScatterNd},
    {"topk", ReadTopk},
};

}  // namespace

std::span<const OpEntry> GatherOps() { return kOps; }

}  // namespace slipway::coreml_reader
