#include <algorithm>

#include "common/base/error.h"
#include "convert/passes/match.h"
#include "convert/targets/tflite/legalize/legalize.h"

namespace slipway::tflite {
namespace {

using enum OpKind;

Tensor Times(const Tensor& tensor, float factor) {
  std::vector<float> values = tensor.ToFloats();
  for (float& value : values) value *= factor;
  return Tensor::From<float>(tensor.shape(), values);
}

absl::StatusOr<bool> GemmToFullyConnected(Graph& graph, Node& node) {
  const float alpha = node.attributes.Float("alpha", 1), beta = node.attributes.Float("beta", 1);
  const bool trans_a = node.attributes.Int("transA", 0) != 0, trans_b = node.attributes.Int("transB", 0) != 0;
  const Tensor *weight = node.constant(1), *bias = node.constant(2);
  Expansion e(graph, node);
  Value *a = node.input(0), *b = node.input(1), *c = node.input(2);
  const Attributes transpose = With("perm", std::vector<int64_t>{1, 0});
  const auto scaled = [&](Value* value, float factor) {
    if (factor == 1 || value == nullptr) return value;
    return value->constant ? e.Constant(Times(*value->constant, factor)) : e.Op(kMul, {value, e.Number(factor)});
  };
  if (weight == nullptr) {
    if (trans_a) a = e.Op(kTranspose, {a}, transpose);
    if (trans_b) b = e.Op(kTranspose, {b}, transpose);
    if (c == nullptr && alpha == 1) return e.Become(kMatMul, {a, b});
    Value* product = scaled(e.Op(kMatMul, {a, b}), alpha);
    return c == nullptr ? e.Become(kIdentity, {product}) : e.Become(kAdd, {product, scaled(c, beta)});
  }
  const int64_t channels = weight->shape()[trans_b ? 0 : 1];
  const bool row = bias == nullptr ? c == nullptr : bias->rank() == 1 && bias->size() == channels;
  if (!trans_a && alpha == 1 && beta == 1 && row) return false;
  if (trans_a) a = e.Op(kTranspose, {a}, transpose);
  b = scaled(b, alpha);
  Attributes attributes;
  if (trans_b) attributes.Set("transB", int64_t{1});
  if (c == nullptr) return e.Become(kGemm, {a, b}, attributes);
  c = scaled(c, beta);
  if (bias != nullptr && (bias->size() == channels || bias->size() == 1) &&
      (bias->rank() == 0 || bias->shape().back() == bias->size())) {
    std::vector<float> values = c->constant->ToFloats();
    values.resize(static_cast<size_t>(channels), values[0]);
    return e.Become(kGemm, {a, b, e.Constant(Tensor::Float32s(values))}, attributes);
  }
  return e.Become(kAdd, {e.Op(kGemm, {a, b}, attributes), c});
}

absl::StatusOr<bool> MatMulVectors(Graph& graph, Node& node) {
  Value *a = node.input(0), *b = node.input(1);
  if (a->rank() < 1 || b->rank() < 1 || (a->rank() > 1 && b->rank() > 1)) return false;
  Expansion e(graph, node);
  std::vector<int64_t> dropped;
  const int64_t rank = std::max({a->rank(), b->rank(), int64_t{2}});
  if (a->rank() == 1) {
    a = e.Op(kUnsqueeze, {a, e.Axes({0})});
    dropped.push_back(rank - 2);
  }
  if (b->rank() == 1) {
    b = e.Op(kUnsqueeze, {b, e.Axes({1})});
    dropped.push_back(rank - 1);
  }
  return e.Become(kSqueeze, {e.Op(kMatMul, {a, b}), e.Axes(dropped)});
}

}  // namespace

void AddGemmRules(Rules& rules) {
  rules.push_back(MakeRule("gemm-to-fully-connected", {kGemm}, GemmToFullyConnected));
  rules.push_back(MakeRule("matmul-vectors", {kMatMul}, MatMulVectors));
}

}  // namespace slipway::tflite
