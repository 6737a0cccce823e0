#include "convert/onnx_form/form.h"

namespace slipway::onnx_form {
namespace {

// Axes became an input with opset 18, for ReduceSum with 13.
int AxesInputSince(OpKind kind) { return kind == OpKind::kReduceSum ? 13 : 18; }

int NeedsReduce(const Node& node) {
  if (node.input(0) != nullptr && node.input(0)->type == DataType::kBool) return 20;
  const Tensor* axes = node.constant(1);
  if (node.input(1) != nullptr && axes == nullptr) return AxesInputSince(node.kind);
  // Negative axes came with opset 11.
  if (axes != nullptr) {
    for (int64_t axis : axes->ToInt64s()) {
      if (axis < 0) return 11;
    }
  }
  return 1;
}

void LowerReduce(NodeForm& form) {
  if (form.opset() >= AxesInputSince(form.node.kind)) return;
  const Tensor* axes = form.node.constant(1);
  // An empty list means all axes, as leaving them out does.
  if (axes != nullptr && axes->size() == 0)
    form.DropInput(1);
  else
    form.InputToAttribute(1, "axes");
}

// Both results are required.
void LowerTopK(NodeForm& form) {
  form.outputs.resize(2);
  for (std::string& output : form.outputs) {
    if (output.empty()) output = form.graph.Fresh(form.node.name + "_unread");
  }
}

constexpr OpForm kForms[] = {
    {OpKind::kReduceMean, 1, "axes keepdims noop_with_empty_axes@18=0", NeedsReduce, LowerReduce},
    {OpKind::kReduceSum, 1, "axes keepdims noop_with_empty_axes@13=0", NeedsReduce, LowerReduce},
    {OpKind::kReduceMax, 1, "axes keepdims noop_with_empty_axes@18=0", NeedsReduce, LowerReduce},
    {OpKind::kReduceMin, 1, "axes keepdims noop_with_empty_axes@18=0", NeedsReduce, LowerReduce},
    {OpKind::kReduceProd, 1, "axes keepdims noop_with_empty_axes@18=0", NeedsReduce, LowerReduce},
    {OpKind::kReduceL1, 1, "axes keepdims noop_with_empty_axes@18=0", NeedsReduce, LowerReduce},
    {OpKind::kReduceL2, 1, "axes keepdims noop_with_empty_axes@18=0", NeedsReduce, LowerReduce},
    {OpKind::kReduceLogSum, 1, "axes keepdims noop_with_empty_axes@18=0", NeedsReduce, LowerReduce},
    {OpKind::kReduceLogSumExp, 1, "axes keepdims noop_with_empty_axes@18=0", NeedsReduce, LowerReduce},
    {OpKind::kReduceSumSquare, 1, "axes keepdims noop_with_empty_axes@18=0", NeedsReduce, LowerReduce},
    {OpKind::kArgMax, 1, "axis keepdims select_last_index@12=0"},
    {OpKind::kArgMin, 1, "axis keepdims select_last_index@12=0"},
    {OpKind::kCumSum, 11, "exclusive reverse"},
    {OpKind::kTopK, 10, "axis largest@11=1 sorted@11=1", nullptr, LowerTopK},
};

}  // namespace

std::span<const OpForm> ReduceForms() { return kForms; }

}  // namespace slipway::onnx_form
