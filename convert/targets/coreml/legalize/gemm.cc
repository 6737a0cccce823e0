#include "convert/targets/coreml/legalize/builder.h"
#include "convert/targets/coreml/legalize/rules.h"

namespace slipway::coreml_writer {
namespace {

Tensor Scaled(const Tensor& tensor, float factor) {
  if (factor == 1) return tensor;
  std::vector<double> values = tensor.ToDoubles();
  for (double& value : values) value *= factor;
  return Tensor::From<double>(tensor.shape(), values).Cast(tensor.type());
}

// Gemm with constant factors: weights [out, in] times alpha, bias [out] times beta. Otherwise MatMul, Mul and Add.
absl::StatusOr<bool> GemmToLinear(Graph& graph, Node& node) {
  const float alpha = node.attributes.Float("alpha", 1);
  const float beta = node.attributes.Float("beta", 1);
  const bool trans_a = node.attributes.Int("transA", 0) != 0;
  const bool trans_b = node.attributes.Int("transB", 0) != 0;
  const Tensor* weight = node.constant(1);
  const Tensor* bias = node.constant(2);
  const int64_t width = node.outputs[0]->rank() == 2 && node.outputs[0]->shape->at(1).IsKnown()
                            ? node.outputs[0]->shape->at(1).value()
                            : -1;
  const bool bias_fits =
      node.input(2) == nullptr ||
      (bias != nullptr && bias->size() == width && (bias->rank() == 1 || (bias->rank() == 2 && bias->shape()[0] == 1)));
  if (!trans_a && weight != nullptr && bias_fits) {
    if (trans_b && alpha == 1 && beta == 1 && (bias == nullptr || bias->rank() == 1)) return false;
    graph.SetInput(&node, 1,
                   graph.AddConstant(node.inputs[1]->name + "_linear",
                                     Scaled(trans_b ? *weight : Transpose(*weight, {1, 0}), alpha)));
    if (bias != nullptr)
      graph.SetInput(&node, 2,
                     graph.AddConstant(node.inputs[2]->name + "_linear", Scaled(bias->Reshaped({width}), beta)));
    for (const char* name : {"alpha", "beta", "transA"}) node.attributes.Erase(name);
    node.attributes.Set("transB", int64_t{1});
    return true;
  }
  Builder to(graph, node);
  Attributes swap;
  swap.Set("perm", std::vector<int64_t>{1, 0});
  Value* a = trans_a ? to.Op(OpKind::kTranspose, {node.inputs[0]}, swap) : node.inputs[0];
  Value* b = trans_b ? to.Op(OpKind::kTranspose, {node.inputs[1]}, swap) : node.inputs[1];
  Value* result = to.Op(OpKind::kMatMul, {a, b});
  if (alpha != 1) result = to.Mul(result, to.Number(alpha));
  if (node.input(2) != nullptr) {
    Value* c = beta == 1 ? node.inputs[2] : to.Mul(node.inputs[2], to.Number(beta));
    result = to.Add(result, c);
  }
  return to.Replace(result);
}

// A vector becomes a row (left) or a column (right), and its axis goes away again.
absl::StatusOr<bool> WidenVectorMatMul(Graph& graph, Node& node) {
  const bool left = node.input(0)->rank() == 1;
  const bool right = node.input(1)->rank() == 1;
  if (!left && !right) return false;
  Builder to(graph, node);
  const auto widened = [&](Value* x, int64_t axis) {
    return to.Op(OpKind::kUnsqueeze, {x, to.Constant(Tensor::Int64s({axis}))});
  };
  Value* a = left ? widened(node.inputs[0], 0) : node.inputs[0];
  Value* b = right ? widened(node.inputs[1], 1) : node.inputs[1];
  std::vector<int64_t> axes;
  if (left) axes.push_back(-2);
  if (right) axes.push_back(-1);
  return to.Replace(to.Op(OpKind::kSqueeze, {to.Op(OpKind::kMatMul, {a, b}), to.Constant(Tensor::Int64s(axes))}));
}

}  // namespace

void AddGemmRules(Rules& rules) {
  rules.push_back(std::make_unique<FunctionRule>("gemm-to-linear", std::vector{OpKind::kGemm}, GemmToLinear));
  rules.push_back(
      std::make_unique<FunctionRule>("widen-vector-matmul", std::vector{OpKind::kMatMul}, WidenVectorMatMul));
}

}  // namespace slipway::coreml_writer
