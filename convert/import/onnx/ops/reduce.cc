#include "convert/import/onnx/op_import.h"

namespace slipway::onnx_import {
namespace {

// Axes were an attribute before opset 18 (ReduceSum: 13).
absl::Status Reduce(OpContext& op) {
  op.AttributeToInput("axes", 1);
  op.Emit();
  return absl::OkStatus();
}

// `k` was an attribute before opset 10.
absl::Status TopK(OpContext& op) {
  if (op.attributes.Has("k")) {
    op.SetInput(1, op.Constant("k", Tensor::Int64s({op.attributes.Int("k", 1)})));
    op.attributes.Erase("k");
  }
  if (op.input(1) == nullptr) return InvalidArgument("it has no k");
  op.Emit();
  return absl::OkStatus();
}

constexpr OpImport kOps[] = {
    {"ReduceMean", OpKind::kReduceMean, Reduce},
    {"ReduceSum", OpKind::kReduceSum, Reduce},
    {"ReduceMax", OpKind::kReduceMax, Reduce},
    {"ReduceMin", OpKind::kReduceMin, Reduce},
    {"ReduceProd", OpKind::kReduceProd, Reduce},
    {"ReduceL1", OpKind::kReduceL1, Reduce},
    {"ReduceL2", OpKind::kReduceL2, Reduce},
    {"ReduceLogSum", OpKind::kReduceLogSum, Reduce},
    {"ReduceLogSumExp", OpKind::kReduceLogSumExp, Reduce},
    {"ReduceSumSquare", OpKind::kReduceSumSquare, Reduce},
    {"ArgMax", OpKind::kArgMax},
    {"ArgMin", OpKind::kArgMin},
    {"CumSum", OpKind::kCumSum},
    {"TopK", OpKind::kTopK, TopK, 1, 2},
};

}  // namespace

std::span<const OpImport> ReduceOps() { return kOps; }

}  // namespace slipway::onnx_import
