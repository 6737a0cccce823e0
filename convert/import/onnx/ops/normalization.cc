#include "convert/import/onnx/op_import.h"

namespace slipway::onnx_import {
namespace {

// Training mode normalizes by the data's own statistics (weight standardization, as exporters write it): means over all axes but the channels.
void NormalizeByData(OpContext& op) {
  Value* x = op.input(0);
  const DataType type = x->type == DataType::kUndefined ? DataType::kFloat32 : x->type;
  std::vector<int64_t> over = {0}, column = {-1};
  for (int64_t axis = 2; axis < x->rank(); ++axis) {
    over.push_back(axis);
    column.push_back(1);
  }
  Value* axes = op.Constant("axes", Tensor::Int64s(over));
  const auto of_channels = [&](Value* value) {
    return op.Make(OpKind::kReshape, {value, op.Constant("column", Tensor::Int64s(column))});
  };
  Value* centred = op.Make(OpKind::kSub, {x, op.Make(OpKind::kReduceMean, {x, axes})});
  Value* variance = op.Make(OpKind::kReduceMean, {op.Make(OpKind::kMul, {centred, centred}), axes});
  Value* epsilon = op.Constant("epsilon", Tensor::Scalar(op.attributes.Float("epsilon", 1e-5f)).Cast(type));
  Value* deviation = op.Make(OpKind::kSqrt, {op.Make(OpKind::kAdd, {variance, epsilon})});
  Value* scaled = op.Make(OpKind::kMul, {op.Make(OpKind::kDiv, {centred, deviation}), of_channels(op.input(1))});
  op.output_names.resize(1);
  op.EmitOutput(0, OpKind::kAdd, {scaled, of_channels(op.input(2))});
}

// Whether a value is a weight of the model, perhaps shaped: import folds nothing yet.
bool IsWeight(const Value* value) {
  for (; value != nullptr && value->producer != nullptr; value = value->producer->input(0)) {
    if (value->producer->kind != OpKind::kIdentity && value->producer->kind != OpKind::kReshape) return false;
  }
  return value != nullptr && value->IsConstant() && value->rank() >= 2;
}

// Before opset 14 training mode showed in the outputs, later in an attribute; momentum matters only there.
absl::Status BatchNormalization(OpContext& op) {
  if (op.attributes.Int("training_mode", 0) != 0) {
    if (IsWeight(op.input(0)) && op.input(0)->rank() >= 2) {
      NormalizeByData(op);
      return absl::OkStatus();
    }
    return Unimplemented("it is in training mode; export the model in evaluation mode (model.eval())");
  }
  if (op.attributes.Int("spatial", 1) == 0) {
    return Unimplemented(
        "spatial=0 (statistics for each position) has no meaning in later opsets; export with a newer opset");
  }
  for (size_t i = 1; i < op.output_names.size(); ++i) {
    if (op.WantsOutput(i)) {
      return Unimplemented("it gives training statistics ('{}'); export the model in evaluation mode (model.eval())",
                           op.output_names[i]);
    }
  }
  op.output_names.resize(1);
  op.attributes = [&] {
    Attributes kept;
    kept.Set("epsilon", op.attributes.Float("epsilon", 1e-5f));
    return kept;
  }();
  op.Emit();
  return absl::OkStatus();
}

// The dialect's op has one output. Mean and InvStdDev, when somebody reads them, are computed beside it.
absl::Status LayerNormalization(OpContext& op) {
  const bool wants_statistics = op.WantsOutput(1) || op.WantsOutput(2);
  const int64_t axis = op.attributes.Int("axis", -1);
  Value* x = op.input(0);
  op.EmitOutput(0, op.kind, op.inputs, op.attributes);
  if (!wants_statistics) return absl::OkStatus();
  if (axis >= 0 && !x->shape) {
    return Unimplemented(
        "its outputs Mean and InvStdDev are read, but the rank of its input is not known; give the input's size with "
        "--shape");
  }
  std::vector<int64_t> axes;
  for (int64_t a = axis < 0 ? axis : axis - x->rank(); a < 0; ++a) axes.push_back(a);
  Value* over = op.Constant("axes", Tensor::Int64s(axes));
  Value* mean = op.Make(OpKind::kReduceMean, {x, over});
  if (op.WantsOutput(1)) op.EmitOutput(1, OpKind::kIdentity, {mean});
  if (op.WantsOutput(2)) {
    Value* centred = op.Make(OpKind::kSub, {x, mean});
    Value* variance = op.Make(OpKind::kReduceMean, {op.Make(OpKind::kMul, {centred, centred}), over});
    const float epsilon = op.attributes.Float("epsilon", 1e-5f);
    Value* shifted = op.Make(
        OpKind::kAdd,
        {variance, op.Constant("epsilon", Tensor::Scalar(epsilon).Cast(
                                              x->type == DataType::kUndefined ? DataType::kFloat32 : x->type))});
    op.EmitOutput(2, OpKind::kReciprocal, {op.Make(OpKind::kSqrt, {shifted})});
  }
  return absl::OkStatus();
}

// Opset 18 had scale and bias for each group, opset 21 (and the dialect) for each channel.
absl::Status GroupNormalization(OpContext& op) {
  if (op.opset < 21) {
    const Value* x = op.input(0);
    if (x->rank() < 2 || !(*x->shape)[1].IsKnown()) {
      return Unimplemented("the number of its input's channels is not known; give the input's size with --shape");
    }
    const int64_t groups = op.attributes.Int("num_groups", 1);
    const int64_t channels = (*x->shape)[1].value();
    if (groups < 1 || channels % groups != 0)
      return InvalidArgument("{} channels do not divide into {} groups", channels, groups);
    for (size_t i : {1, 2}) {
      Value* column = op.Make(OpKind::kReshape, {op.input(i), op.Constant("column", Tensor::Int64s({groups, 1}))});
      Value* wide =
          op.Make(OpKind::kExpand, {column, op.Constant("size", Tensor::Int64s({groups, channels / groups}))});
      op.SetInput(i, op.Make(OpKind::kReshape, {wide, op.Constant("channels", Tensor::Int64s({channels}))}));
    }
  }
  op.Emit();
  return absl::OkStatus();
}

constexpr OpImport kOps[] = {
    {"BatchNormalization", OpKind::kBatchNormalization, BatchNormalization},
    {"InstanceNormalization", OpKind::kInstanceNormalization},
    {"LayerNormalization", OpKind::kLayerNormalization, LayerNormalization},
    {"GroupNormalization", OpKind::kGroupNormalization, GroupNormalization},
    {"LpNormalization", OpKind::kLpNormalization},
    {"MeanVarianceNormalization", OpKind::kMeanVarianceNormalization},
    {"LRN", OpKind::kLRN},
    {"RMSNormalization", OpKind::kRMSNormalization},
};

}  // namespace

std::span<const OpImport> NormalizationOps() { return kOps; }

}  // namespace slipway::onnx_import
