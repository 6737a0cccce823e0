#include "convert/targets/coreml/reader/op_reader.h"

namespace slipway::coreml_reader {
namespace {

// The matrix with its last two axes exchanged.
Value* Transposed(OpReader& op, Value* value) {
  const int64_t rank = op.RankOf(value);
  if (!op.ok()) return nullptr;
  if (rank < 2) {
    op.Malformed("a vector has no transpose");
    return nullptr;
  }
  std::vector<int64_t> perm(static_cast<size_t>(rank));
  for (size_t i = 0; i < perm.size(); ++i) perm[i] = static_cast<int64_t>(i);
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return op.Add(OpKind::kTranspose, {value}, Attrs({{"perm", perm}}));
}

// x · weightᵀ + bias
void ReadLinear(OpReader& op) {
  Value* x = op.Input("x");
  Value* weight = op.Input("weight");
  Value* bias = op.OptionalInput("bias");
  if (op.RankOf(x) == 2) {
    std::vector<Value*> inputs = {x, weight};
    if (bias != nullptr) inputs.push_back(bias);
    return op.Emit(OpKind::kGemm, std::move(inputs), Attrs({{"transB", int64_t{1}}}));
  }
  Value* product = op.Add(OpKind::kMatMul, {x, Transposed(op, weight)});
  op.Result(bias == nullptr ? product : op.Add(OpKind::kAdd, {product, bias}));
}

void ReadMatmul(OpReader& op) {
  Value* x = op.Input("x");
  Value* y = op.Input("y");
  if (op.Bool("transpose_x", false)) x = Transposed(op, x);
  if (op.Bool("transpose_y", false)) y = Transposed(op, y);
  op.Emit(OpKind::kMatMul, {x, y});
}

void ReadEinsum(OpReader& op) {
  op.Emit(OpKind::kEinsum, op.Inputs("values"), Attrs({{"equation", op.String("equation", "")}}));
}

constexpr OpEntry kOps[] = {
    {"einsum", ReadEinsum},
    {"linear", ReadLinear},
    {"matmul", ReadMatmul},
};

}  // namespace

std::span<const OpEntry> GemmOps() { return kOps; }

}  // namespace slipway::coreml_reader
