#include <array>

#include "common/base/error.h"
#include "convert/targets/ncnn/legalize/compose.h"
#include "convert/targets/ncnn/legalize/legalize.h"

namespace slipway::ncnn {
namespace {

Tensor Scaled(const Tensor& tensor, float factor) {
  if (factor == 1) return tensor;
  std::vector<float> values = tensor.ToFloats();
  for (float& value : values) value *= factor;
  return Tensor::From(tensor.shape(), values);
}

// y = alpha A B + beta C → y = x W^T + bias where W and bias are constants; else MatMul, Mul and Add.
class LowerGemm final : public Rule {
 public:
  std::string_view name() const override { return "lower-gemm"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kGemm};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& gemm) const override {
    const float alpha = gemm.attributes.Float("alpha", 1), beta = gemm.attributes.Float("beta", 1);
    const bool trans_a = gemm.attributes.Int("transA", 0) != 0, trans_b = gemm.attributes.Int("transB", 0) != 0;
    const Tensor *weights = gemm.constant(1), *bias = gemm.constant(2);
    Value* c = gemm.input(2);
    const bool constant_bias = c == nullptr || (bias != nullptr && bias->rank() <= 1);
    const bool whole_bias =
        bias == nullptr || (weights != nullptr && bias->size() == weights->shape()[trans_b ? 0 : 1]);
    if (alpha == 1 && beta == 1 && !trans_a && trans_b && weights != nullptr && constant_bias && whole_bias)
      return false;

    Composer compose(graph, gemm);
    Value* a = gemm.input(0);
    if (trans_a) a = compose.Add(OpKind::kTranspose, {a}, Perm());
    if (weights != nullptr && constant_bias) {
      std::vector<Value*> inputs = {a,
                                    compose.Constant(Scaled(trans_b ? *weights : Transpose(*weights, {1, 0}), alpha))};
      if (bias != nullptr) {
        const int64_t outputs = weights->shape()[trans_b ? 0 : 1];
        std::vector<float> spread = Scaled(*bias, beta).ToFloats();
        if (spread.size() == 1) spread.assign(static_cast<size_t>(outputs), spread[0]);
        inputs.push_back(compose.Constant(Tensor::Float32s(spread)));
      }
      Attributes attributes;
      attributes.Set("transB", int64_t{1});
      return compose.Finish(OpKind::kGemm, std::move(inputs), std::move(attributes));
    }
    Value* b = gemm.input(1);
    if (trans_b) b = compose.Add(OpKind::kTranspose, {b}, Perm());
    if (c == nullptr && alpha == 1) return compose.Finish(OpKind::kMatMul, {a, b});
    Value* product = compose.Add(OpKind::kMatMul, {a, b});
    if (c == nullptr) return compose.Finish(OpKind::kMul, {product, compose.Constant(alpha)});
    if (alpha != 1) product = compose.Add(OpKind::kMul, {product, compose.Constant(alpha)});
    if (beta != 1) c = compose.Add(OpKind::kMul, {c, compose.Constant(beta)});
    return compose.Finish(OpKind::kAdd, {product, c});
  }

 private:
  static Attributes Perm() {
    Attributes attributes;
    attributes.Set("perm", std::vector<int64_t>{1, 0});
    return attributes;
  }
};

}  // namespace

std::unique_ptr<Rule> MakeLowerGemm() { return std::make_unique<LowerGemm>(); }

}  // namespace slipway::ncnn
