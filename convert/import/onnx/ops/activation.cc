#include <limits>

#include "convert/import/onnx/op_import.h"

namespace slipway::onnx_import {
namespace {

// Bounds were attributes before opset 11.
absl::Status Clip(OpContext& op) {
  if (op.opset < 11) {
    const DataType type = op.input(0)->type == DataType::kUndefined ? DataType::kFloat32 : op.input(0)->type;
    for (const auto& [name, index] : {std::pair{"min", 1}, {"max", 2}}) {
      if (!op.attributes.Has(name)) continue;
      op.SetInput(index, op.Constant(name, Tensor::Scalar(op.attributes.Float(name, 0)).Cast(type)));
      op.attributes.Erase(name);
    }
  }
  // Of whole numbers, PyTorch's exporter leaves bounds of float32.
  for (const size_t index : {1, 2}) {
    const Value *bound = op.input(index), *x = op.input(0);
    if (bound == nullptr || !bound->IsConstant() || bound->type == x->type || x->type == DataType::kUndefined) continue;
    op.SetInput(index, op.Constant(index == 1 ? "min" : "max", bound->constant->Cast(x->type)));
  }
  op.Emit();
  return absl::OkStatus();
}

bool IsZero(const Value* value) {
  return value != nullptr && value->IsConstant() && value->constant->size() == 1 &&
         value->constant->ToDoubles()[0] == 0;
}

// At inference time, and where nothing is dropped, Dropout passes its input through and keeps everything.
absl::Status Dropout(OpContext& op) {
  const bool training = op.input(2) != nullptr && !IsZero(op.input(2));
  if (training && !IsZero(op.input(1))) {
    return Unimplemented("it is in training mode; export the model in evaluation mode (model.eval())");
  }
  Value* x = op.input(0);
  op.EmitOutput(0, OpKind::kIdentity, {x});
  if (op.WantsOutput(1)) {
    const DataType type = op.opset >= 10 ? DataType::kBool : x->type;
    Attributes ones;
    ones.Set("value", Tensor::Int64s({1}).Cast(type));
    op.EmitOutput(1, OpKind::kConstantOfShape, {op.Make(OpKind::kShape, {x})}, std::move(ones));
  }
  return absl::OkStatus();
}

// Before opset 7 a slope of one axis ran along the channels.
absl::Status PRelu(OpContext& op) {
  const Value* slope = op.input(1);
  if (op.opset < 7 && slope->rank() == 1 && op.input(0)->rank() > 2) {
    std::vector<int64_t> column(static_cast<size_t>(op.input(0)->rank()) - 1, 1);
    column[0] = -1;
    op.inputs[1] = op.Make(OpKind::kReshape, {op.input(1), op.Constant("column", Tensor::Int64s(column))});
  }
  op.Emit();
  return absl::OkStatus();
}

constexpr OpImport kOps[] = {
    {"Relu", OpKind::kRelu},
    {"LeakyRelu", OpKind::kLeakyRelu},
    {"PRelu", OpKind::kPRelu, PRelu},
    {"ThresholdedRelu", OpKind::kThresholdedRelu},
    {"Elu", OpKind::kElu},
    {"Selu", OpKind::kSelu},
    {"Celu", OpKind::kCelu},
    {"Gelu", OpKind::kGelu},
    {"Gelu", OpKind::kGelu, nullptr, 1, 1, "com.microsoft"},
    {"Sigmoid", OpKind::kSigmoid},
    {"HardSigmoid", OpKind::kHardSigmoid},
    {"HardSwish", OpKind::kHardSwish},
    {"Swish", OpKind::kSwish},
    {"Mish", OpKind::kMish},
    {"Tanh", OpKind::kTanh},
    {"Softplus", OpKind::kSoftplus},
    {"Softsign", OpKind::kSoftsign},
    {"Clip", OpKind::kClip, Clip},
    {"Shrink", OpKind::kShrink},
    {"Dropout", OpKind::kIdentity, Dropout, 1, 3},
};

}  // namespace

std::span<const OpImport> ActivationOps() { return kOps; }

}  // namespace slipway::onnx_import
