#include "convert/targets/coreml/reader/op_reader.h"

namespace slipway::coreml_reader {
namespace {

// The vector `parameter`, or as many ones or zeros as `like` has elements.
Value* VectorOr(OpReader& op, std::string_view parameter, int64_t length, float fallback, const Value* x) {
  if (Value* value = op.OptionalInput(parameter)) return value;
  if (!op.ok() || x == nullptr) return nullptr;
  Value* scalar = op.ConstLike(x, fallback);
  return op.Add(OpKind::kExpand, {scalar, op.ConstInt64s({length})});
}

int64_t Channels(OpReader& op, const Value* x) {
  if (op.RankOf(x) < 2) {
    op.Malformed("x has no channels");
    return 0;
  }
  const Dim& channels = (*x->shape)[1];
  if (!channels.IsKnown()) op.Refuse("the number of channels is not fixed");
  return op.ok() ? channels.value() : 0;
}

void ReadBatchNorm(OpReader& op) {
  Value* x = op.Input("x");
  const int64_t channels = Channels(op, x);
  Value* gamma = VectorOr(op, "gamma", channels, 1, x);
  Value* beta = VectorOr(op, "beta", channels, 0, x);
  op.Emit(OpKind::kBatchNormalization, {x, gamma, beta, op.Input("mean"), op.Input("variance")},
          Attrs({{"epsilon", static_cast<float>(op.Float("epsilon", 1e-5))}}));
}

void ReadInstanceNorm(OpReader& op) {
  Value* x = op.Input("x");
  const int64_t channels = Channels(op, x);
  Value* gamma = VectorOr(op, "gamma", channels, 1, x);
  Value* beta = VectorOr(op, "beta", channels, 0, x);
  op.Emit(OpKind::kInstanceNormalization, {x, gamma, beta},
          Attrs({{"epsilon", static_cast<float>(op.Float("epsilon", 1e-5))}}));
}

// gamma (x - mean) / sqrt(variance + epsilon) + beta over any axes; gamma and beta have those axes' sizes.
void ReadLayerNorm(OpReader& op) {
  Value* x = op.Input("x");
  const int64_t rank = op.RankOf(x);
  std::vector<int64_t> axes = op.Ints("axes");
  if (!op.Has("axes")) {
    for (int64_t i = 0; i < rank; ++i) axes.push_back(i);
  }
  for (int64_t& axis : axes) axis = op.Axis(axis, rank);
  if (!op.ok()) return;
  std::vector<int64_t> broadcast(static_cast<size_t>(rank), 1);  // gamma's and beta's shape against x
  for (const int64_t axis : axes) {
    const Dim& size = (*x->shape)[static_cast<size_t>(axis)];
    if (!size.IsKnown() && (op.Has("gamma") || op.Has("beta")))
      return op.Refuse("an axis of gamma has a variable size");
    broadcast[static_cast<size_t>(axis)] = size.IsKnown() ? size.value() : -1;
  }
  Value* over = op.ConstInt64s(axes);
  const Attributes keep = Attrs({{"keepdims", int64_t{1}}});
  Value* centred = op.Add(OpKind::kSub, {x, op.Add(OpKind::kReduceMean, {x, over}, keep)});
  Value* variance = op.Add(OpKind::kReduceMean, {op.Add(OpKind::kMul, {centred, centred}), over}, keep);
  Value* deviation =
      op.Add(OpKind::kSqrt, {op.Add(OpKind::kAdd, {variance, op.ConstLike(x, op.Float("epsilon", 1e-5))})});
  Value* result = op.Add(OpKind::kDiv, {centred, deviation});
  if (Value* gamma = op.OptionalInput("gamma")) {
    result = op.Add(OpKind::kMul, {result, op.Add(OpKind::kReshape, {gamma, op.ConstInt64s(broadcast)})});
  }
  if (Value* beta = op.OptionalInput("beta")) {
    result = op.Add(OpKind::kAdd, {result, op.Add(OpKind::kReshape, {beta, op.ConstInt64s(broadcast)})});
  }
  op.Result(result);
}

// Over the last three axes.
void ReadL2Norm(OpReader& op) {
  Value* x = op.Input("x");
  const int64_t rank = op.RankOf(x);
  if (rank < 3) return op.Malformed("x has fewer than three axes");
  Value* sum =
      op.Add(OpKind::kReduceSum, {op.Add(OpKind::kMul, {x, x}), op.ConstInt64s({rank - 3, rank - 2, rank - 1})},
             Attrs({{"keepdims", int64_t{1}}}));
  Value* norm = op.Add(OpKind::kSqrt, {op.Add(OpKind::kAdd, {sum, op.ConstLike(x, op.Float("epsilon", 1e-6))})});
  op.Emit(OpKind::kDiv, {x, norm});
}

void ReadLocalResponseNorm(OpReader& op) {
  const int64_t size = op.Int("size", 0);
  if (size < 1 || size % 2 == 0) return op.Refuse("an even size is not read");
  op.Emit(OpKind::kLRN, {op.Input("x")},
          Attrs({{"size", size},
                 {"alpha", static_cast<float>(op.Float("alpha", 1e-4))},
                 {"beta", static_cast<float>(op.Float("beta", 0.75))},
                 {"bias", static_cast<float>(op.Float("k", 1.0))}}));
}

constexpr OpEntry kOps[] = {
    {"batch_norm", ReadBatchNorm},
    {"instance_norm", ReadInstanceNorm},
    {"l2_norm", ReadL2Norm},
    {"layer_norm", ReadLayerNorm},
    {"local_response_norm", ReadLocalResponseNorm},
};

}  // namespace

std::span<const OpEntry> NormalizationOps() { return kOps; }

}  // namespace slipway::coreml_reader
