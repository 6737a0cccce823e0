#include "common/base/error.h"
#include "convert/targets/coreml/emit.h"

namespace slipway::coreml_writer {
namespace {

// linear: x · weightᵀ + bias, both constant; rule gemm-to-linear makes this form.
absl::Status CheckLinear(const Node& node) {
  const Tensor* weight = node.constant(1);
  const Tensor* bias = node.constant(2);
  const bool plain = node.attributes.Int("transA", 0) == 0 && node.attributes.Int("transB", 0) == 1 &&
                     node.attributes.Float("alpha", 1) == 1 && node.attributes.Float("beta", 1) == 1;
  if (!plain || weight == nullptr || weight->rank() != 2 ||
      (node.input(2) != nullptr && (bias == nullptr || bias->rank() != 1))) {
    return Unsupported(node, "linear takes constant weights [out, in] and bias [out]",
                       "rule gemm-to-linear makes other forms of MatMul and Add");
  }
  return absl::OkStatus();
}

void Linear(const Node& node, Program& out) {
  Arguments arguments = {{"x", {out.Operand(node, 0)}}, {"weight", {out.Operand(node, 1)}}};
  if (node.input(2) != nullptr) arguments.emplace_back("bias", std::vector{out.Operand(node, 2)});
  out.Emit(node, "linear", std::move(arguments));
}

absl::Status CheckMatMul(const Node& node) {
  if (node.input(0)->rank() < 2 || node.input(1)->rank() < 2) {
    return Unsupported(node, "matmul takes matrices", "rule widen-vector-matmul makes them of vectors");
  }
  return absl::OkStatus();
}

void MatMul(const Node& node, Program& out) {
  out.Emit(node, "matmul",
           {{"x", {out.Operand(node, 0)}},
            {"y", {out.Operand(node, 1)}},
            {"transpose_x", {out.Bool(false)}},
            {"transpose_y", {out.Bool(false)}}});
}

constexpr OpEmitter kEmitters[] = {
    {OpKind::kGemm, Linear, CheckLinear},
    {OpKind::kMatMul, MatMul, CheckMatMul},
};

}  // namespace

std::span<const OpEmitter> GemmEmitters() { return kEmitters; }

}  // namespace slipway::coreml_writer
