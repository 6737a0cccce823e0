// InnerProduct for products with constant matrices, MatMul for all others.
#include "common/base/error.h"
#include "convert/targets/ncnn/ops/ops.h"
#include "convert/targets/ncnn/ops/spatial_params.h"
#include "convert/targets/target.h"

namespace slipway::ncnn {
namespace {

// A product's operand: an axis of 1 is left out only in front of a matrix.
Shape MatrixShape(const Value& value) {
  Shape shape = FullShape(value);
  if (shape.size() > 2 && shape.front() == Dim(1)) shape.erase(shape.begin());
  return shape;
}

// Rows × K: what InnerProduct multiplies.
Shape RowsShape(const Shape& full) {
  Dim rows = 1;
  for (size_t i = 0; i + 1 < full.size(); ++i) rows = rows * full[i];
  return rows == Dim(1) ? Shape{full.back()} : Shape{rows, full.back()};
}

bool HasConstantMatrix(const Node& node) { return node.constant(1) != nullptr && node.constant(1)->rank() == 2; }

absl::Status EmitInnerProduct(const Node& node, Emitter& emitter, const Tensor& weights, const Tensor* bias) {
  Params params = {{0, weights.shape()[0]}, {1, int64_t{bias != nullptr}}, {2, weights.size()}};
  AddActivation(params, node);
  std::vector<Weights> stored = {Tagged(weights)};
  if (bias != nullptr) stored.push_back(Untagged(*bias));
  return emitter.Layer("InnerProduct", node, {{node.input(0), RowsShape(FullShape(*node.input(0)))}},
                       {{node.output(), RowsShape(FullShape(*node.output()))}}, params, std::move(stored));
}

// Rule lower-gemm leaves y = x W^T [+ bias] with constants, and nothing else.
absl::Status CheckGemm(const Node& node) {
  const Attributes& attributes = node.attributes;
  const Tensor* bias = node.constant(2);
  const bool plain = attributes.Float("alpha", 1) == 1 && attributes.Float("beta", 1) == 1 &&
                     attributes.Int("transA", 0) == 0 && attributes.Int("transB", 0) == 1;
  if (!plain || !HasConstantMatrix(node) ||
      (node.input(2) != nullptr && (bias == nullptr || bias->size() != node.constant(1)->shape()[0]))) {
    return Unsupported(node, "its factors are not a row times constant weights and bias", "write it as MatMul and Add");
  }
  return absl::OkStatus();
}

absl::Status EmitGemm(const Node& node, Emitter& emitter) {
  return EmitInnerProduct(node, emitter, *node.constant(1), node.constant(2));
}

absl::Status CheckMatMul(const Node& node) {
  if (HasConstantMatrix(node)) return absl::OkStatus();
  for (const Value* value : {node.input(0), node.input(1), node.output()}) {
    if (static_cast<int64_t>(MatrixShape(*value).size()) > kMaxBlobRank)
      return Unsupported(node, fmt::format("a stack of matrices {}", ToString(*value->shape)),
                         "NCNN's blobs have four axes");
  }
  return absl::OkStatus();
}

absl::Status EmitMatMul(const Node& node, Emitter& emitter) {
  if (HasConstantMatrix(node)) return EmitInnerProduct(node, emitter, Transpose(*node.constant(1), {1, 0}), nullptr);
  Shape a = MatrixShape(*node.input(0)), b = MatrixShape(*node.input(1));
  const bool vector_a = a.size() == 1, vector_b = b.size() == 1;
  // Stacks of different depth: the shallower one gets leading ones, as NumPy reads it.
  while (!vector_a && a.size() < b.size() && b.size() > 2) a.insert(a.begin(), 1);
  while (!vector_b && b.size() < a.size() && a.size() > 2) b.insert(b.begin(), 1);
  Shape out;
  const size_t batches = std::max(a.size(), b.size()) - std::min<size_t>(2, std::max(a.size(), b.size()));
  for (size_t i = 0; i < batches; ++i) {
    const Dim from_a = vector_a ? Dim(1) : a[i], from_b = vector_b ? Dim(1) : b[i];
    out.push_back(from_a == Dim(1) ? from_b : from_a);
  }
  if (!vector_a) out.push_back(a[a.size() - 2]);
  if (!vector_b) out.push_back(b.back());
  if (out.empty()) out.push_back(1);
  return emitter.Layer("MatMul", node, {{node.input(0), a}, {node.input(1), b}}, {{node.output(), out}});
}

}  // namespace

std::span<const OpEmitter> GemmOps() {
  static constexpr OpEmitter kOps[] = {{OpKind::kGemm, CheckGemm, EmitGemm},
                                       {OpKind::kMatMul, CheckMatMul, EmitMatMul}};
  return kOps;
}

}  // namespace slipway::ncnn
