#include "convert/targets/coreml/reader/op_reader.h"

namespace slipway::coreml_reader {
namespace {

template <OpKind kKind>
void ReadPlain(OpReader& op) {
  op.Emit(kKind, {op.Input("x")});
}

void ReadRelu6(OpReader& op) {
  Value* x = op.Input("x");
  op.Emit(OpKind::kClip, {x, op.ConstLike(x, 0), op.ConstLike(x, 6)});
}

void ReadLeakyRelu(OpReader& op) {
  op.Emit(OpKind::kLeakyRelu, {op.Input("x")}, Attrs({{"alpha", static_cast<float>(op.Float("alpha", 0))}}));
}

void ReadElu(OpReader& op) {
  op.Emit(OpKind::kElu, {op.Input("x")}, Attrs({{"alpha", static_cast<float>(op.Float("alpha", 0))}}));
}

// A parameter of length C as [C, 1, …, 1], to go with x = [n, C, …].
Value* AlongChannels(OpReader& op, Value* parameter, const Value* x) {
  const int64_t rank = op.RankOf(x);
  if (!op.ok() || parameter == nullptr) return nullptr;
  if (op.RankOf(parameter) != 1) op.Malformed("a parameter along the channels is no vector");
  std::vector<int64_t> shape(static_cast<size_t>(std::max<int64_t>(1, rank - 1)), 1);
  shape[0] = -1;
  return op.Add(OpKind::kReshape, {parameter, op.ConstInt64s(shape)});
}

void ReadPrelu(OpReader& op) {
  Value* x = op.Input("x");
  if (op.RankOf(x) < 3) return op.Malformed("x has no spatial axes");
  op.Emit(OpKind::kPRelu, {x, AlongChannels(op, op.Input("alpha"), x)});
}

void ReadGelu(OpReader& op) {
  Value* x = op.Input("x");
  const std::string mode = op.String("mode", "EXACT");
  if (mode == "SIGMOID_APPROXIMATION") {
    return op.Emit(OpKind::kMul, {x, op.Add(OpKind::kSigmoid, {op.Add(OpKind::kMul, {x, op.ConstLike(x, 1.702)})})});
  }
  Value* inner = nullptr;
  if (mode == "EXACT") {
    inner = op.Add(OpKind::kErf, {op.Add(OpKind::kMul, {x, op.ConstLike(x, 0.70710678118654752440)})});
  } else if (mode == "TANH_APPROXIMATION") {
    Value* cube = op.Add(OpKind::kMul, {op.Add(OpKind::kMul, {x, x}), x});
    Value* sum = op.Add(OpKind::kAdd, {x, op.Add(OpKind::kMul, {cube, op.ConstLike(x, 0.044715)})});
    inner = op.Add(OpKind::kTanh, {op.Add(OpKind::kMul, {sum, op.ConstLike(x, 0.79788456080286535588)})});
  } else {
    return op.Malformed("mode '" + mode + "' is not one of MIL's");
  }
  Value* gate = op.Add(OpKind::kAdd, {inner, op.ConstLike(x, 1)});
  op.Emit(OpKind::kMul, {op.Add(OpKind::kMul, {x, op.ConstLike(x, 0.5)}), gate});
}

void ReadSigmoidHard(OpReader& op) {
  Value* x = op.Input("x");
  Value* line = op.Add(OpKind::kAdd, {op.Add(OpKind::kMul, {x, op.ConstLike(x, op.Float("alpha", 0))}),
                                      op.ConstLike(x, op.Float("beta", 0))});
  op.Emit(OpKind::kClip, {line, op.ConstLike(x, 0), op.ConstLike(x, 1)});
}

void ReadSilu(OpReader& op) {
  Value* x = op.Input("x");
  op.Emit(OpKind::kMul, {x, op.Add(OpKind::kSigmoid, {x})});
}

// alpha x log(1 + e^(beta x)), alpha and beta along the channels.
void ReadSoftplusParametric(OpReader& op) {
  Value* x = op.Input("x");
  Value* alpha = AlongChannels(op, op.Input("alpha"), x);
  Value* beta = AlongChannels(op, op.Input("beta"), x);
  op.Emit(OpKind::kMul, {op.Add(OpKind::kSoftplus, {op.Add(OpKind::kMul, {x, beta})}), alpha});
}

void ReadScaledTanh(OpReader& op) {
  Value* x = op.Input("x");
  Value* inner = op.Add(OpKind::kTanh, {op.Add(OpKind::kMul, {x, op.ConstLike(x, op.Float("beta", 1))})});
  op.Emit(OpKind::kMul, {inner, op.ConstLike(x, op.Float("alpha", 1))});
}

// x where x >= alpha: ONNX's op would drop x = alpha.
void ReadThresholdedRelu(OpReader& op) {
  Value* x = op.Input("x");
  Value* keeps = op.Add(OpKind::kGreaterOrEqual, {x, op.ConstLike(x, op.Float("alpha", 0))}, {}, DataType::kBool);
  if (!op.ok()) return;
  op.Result(op.Add(OpKind::kWhere, {keeps, x, op.ConstLike(x, 0)}, {}, x->type));
}

void ReadClampedRelu(OpReader& op) {
  Value* x = op.Input("x");
  Value* leaky = op.Add(OpKind::kLeakyRelu, {x}, Attrs({{"alpha", static_cast<float>(op.Float("alpha", 0))}}));
  op.Emit(OpKind::kMin, {leaky, op.ConstLike(x, op.Float("beta", 0))});
}

void ReadLinearActivation(OpReader& op) {
  Value* x = op.Input("x");
  Value* scaled = op.Add(OpKind::kMul, {x, op.ConstLike(x, op.Float("alpha", 1))});
  op.Emit(OpKind::kAdd, {scaled, op.ConstLike(x, op.Float("beta", 0))});
}

constexpr OpEntry kOps[] = {
    {"clamped_relu", ReadClampedRelu},
    {"elu", ReadElu},
    {"gelu", ReadGelu},
    {"leaky_relu", ReadLeakyRelu},
    {"linear_activation", ReadLinearActivation},
    {"prelu", ReadPrelu},
    {"relu", ReadPlain<OpKind::kRelu>},
    {"relu6", ReadRelu6},
    {"scaled_tanh", ReadScaledTanh},
    {"sigmoid", ReadPlain<OpKind::kSigmoid>},
    {"sigmoid_hard", ReadSigmoidHard},
    {"silu", ReadSilu},
    {"softplus", ReadPlain<OpKind::kSoftplus>},
    {"softplus_parametric", ReadSoftplusParametric},
    {"softsign", ReadPlain<OpKind::kSoftsign>},
    {"thresholded_relu", ReadThresholdedRelu},
};

}  // namespace

std::span<const OpEntry> ActivationOps() { return kOps; }

}  // namespace slipway::coreml_reader
