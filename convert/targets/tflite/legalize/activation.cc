#include <cmath>
#include <limits>
#include <numbers>

#include "common/base/error.h"
#include "convert/passes/match.h"
#include "convert/targets/tflite/legalize/legalize.h"

namespace slipway::tflite {
namespace {

using enum OpKind;

// x · sigmoid(alpha x)
absl::StatusOr<bool> Swish(Graph& graph, Node& node) {
  Expansion e(graph, node);
  Value* x = node.input(0);
  const float alpha = node.attributes.Float("alpha", 1);
  Value* scaled = alpha == 1 ? x : e.Op(kMul, {x, e.Number(alpha)});
  return e.Become(kMul, {x, e.Op(kSigmoid, {scaled})});
}

// log(1 + eˣ) = max(x, 0) + log(1 + e^-|x|): neither side overflows.
Value* SoftplusOf(Expansion& e, Value* x) {
  Value* tail = e.Op(kLog, {e.Op(kAdd, {e.Op(kExp, {e.Op(kNeg, {e.Op(kAbs, {x})})}), e.Number(1)})});
  return e.Op(kAdd, {e.Op(kRelu, {x}), tail});
}

absl::StatusOr<bool> Softplus(Graph& graph, Node& node) {
  Expansion e(graph, node);
  Value* x = node.input(0);
  Value* tail = e.Op(kLog, {e.Op(kAdd, {e.Op(kExp, {e.Op(kNeg, {e.Op(kAbs, {x})})}), e.Number(1)})});
  return e.Become(kAdd, {e.Op(kRelu, {x}), tail});
}

absl::StatusOr<bool> Mish(Graph& graph, Node& node) {
  Expansion e(graph, node);
  Value* x = node.input(0);
  return e.Become(kMul, {x, e.Op(kTanh, {SoftplusOf(e, x)})});
}

absl::StatusOr<bool> HardSigmoid(Graph& graph, Node& node) {
  Expansion e(graph, node);
  Value* x = node.input(0);
  const float alpha = node.attributes.Float("alpha", 0.2f), beta = node.attributes.Float("beta", 0.5f);
  if (std::abs(alpha - 1.0f / 6) < 1e-6 && beta == 0.5f) {
    Value* clipped = e.Op(kClip, {e.Op(kAdd, {x, e.Number(3)}), e.Number(0), e.Number(6)});
    return e.Become(kMul, {clipped, e.Number(1.0 / 6)});
  }
  Value* line = e.Op(kAdd, {e.Op(kMul, {x, e.Number(alpha)}), e.Number(beta)});
  return e.Become(kMin, {e.Op(kRelu, {line}), e.Number(1)});
}

absl::StatusOr<bool> Softsign(Graph& graph, Node& node) {
  Expansion e(graph, node);
  Value* x = node.input(0);
  return e.Become(kDiv, {x, e.Op(kAdd, {e.Op(kAbs, {x}), e.Number(1)})});
}

// gamma (max(x, 0) + alpha (e^(min(x, 0) / width) - 1)); ELU is the part below zero.
absl::StatusOr<bool> EluLike(Graph& graph, Node& node) {
  const bool elu = node.kind == kElu, selu = node.kind == kSelu;
  const float alpha = node.attributes.Float("alpha", selu ? 1.67326319217681884765625f : 1.0f);
  const float gamma = selu ? node.attributes.Float("gamma", 1.05070102214813232421875f) : 1.0f;
  if (elu && alpha == 1) return false;
  Expansion e(graph, node);
  Value* x = node.input(0);
  Value* below = e.Op(kMin, {x, e.Number(0)});
  if (node.kind == kCelu && alpha != 1) below = e.Op(kMul, {below, e.Number(1.0 / alpha)});
  Value* curve = e.Op(kMul, {e.Op(kElu, {below}), e.Number(static_cast<double>(alpha) * gamma)});
  Value* line = e.Op(kRelu, {x});
  if (gamma != 1) line = e.Op(kMul, {line, e.Number(gamma)});
  return e.Become(kAdd, {line, curve});
}

absl::StatusOr<bool> ThresholdedRelu(Graph& graph, Node& node) {
  Expansion e(graph, node);
  Value* x = node.input(0);
  Value* above = e.Op(kGreater, {x, e.Number(node.attributes.Float("alpha", 1))});
  return e.Become(kWhere, {above, x, e.Number(0)});
}

absl::StatusOr<bool> Shrink(Graph& graph, Node& node) {
  Expansion e(graph, node);
  Value* x = node.input(0);
  if (x->type != DataType::kFloat32) return false;
  const float lambda = node.attributes.Float("lambd", 0.5f), bias = node.attributes.Float("bias", 0);
  Value* low = e.Op(kWhere, {e.Op(kLess, {x, e.Number(-lambda)}), e.Op(kAdd, {x, e.Number(bias)}), e.Number(0)});
  return e.Become(kWhere, {e.Op(kGreater, {x, e.Number(lambda)}), e.Op(kSub, {x, e.Number(bias)}), low});
}

// Abramowitz and Stegun 7.1.26: |error| ≤ 1.5e-7.
absl::StatusOr<bool> Erf(Graph& graph, Node& node) {
  Expansion e(graph, node);
  Value* x = node.input(0);
  Value* magnitude = e.Op(kAbs, {x});
  Value* t = e.Op(kDiv, {e.Number(1), e.Op(kAdd, {e.Op(kMul, {magnitude, e.Number(0.3275911)}), e.Number(1)})});
  Value* sum = e.Op(kMul, {t, e.Number(1.061405429)});
  for (double coefficient : {-1.453152027, 1.421413741, -0.284496736, 0.254829592}) {
    sum = e.Op(kMul, {e.Op(kAdd, {sum, e.Number(coefficient)}), t});
  }
  Value* tail = e.Op(kMul, {sum, e.Op(kExp, {e.Op(kNeg, {e.Op(kMul, {x, x})})})});
  return e.Become(kMul, {e.Op(kSign, {x}), e.Op(kSub, {e.Number(1), tail})});
}

absl::StatusOr<bool> Trigonometric(Graph& graph, Node& node) {
  Expansion e(graph, node);
  Value* x = node.input(0);
  const auto exp = [&](bool negative) { return e.Op(kExp, {negative ? e.Op(kNeg, {x}) : x}); };
  switch (node.kind) {
    case kTan:
      return e.Become(kDiv, {e.Op(kSin, {x}), e.Op(kCos, {x})});
    case kSinh:
      return e.Become(kMul, {e.Op(kSub, {exp(false), exp(true)}), e.Number(0.5)});
    case kCosh:
      return e.Become(kMul, {e.Op(kAdd, {exp(false), exp(true)}), e.Number(0.5)});
    case kAsinh: {
      Value* magnitude = e.Op(kAbs, {x});
      Value* root = e.Op(kSqrt, {e.Op(kAdd, {e.Op(kMul, {x, x}), e.Number(1)})});
      return e.Become(kMul, {e.Op(kSign, {x}), e.Op(kLog, {e.Op(kAdd, {magnitude, root})})});
    }
    case kAcosh: {
      Value* root = e.Op(kSqrt, {e.Op(kSub, {e.Op(kMul, {x, x}), e.Number(1)})});
      return e.Become(kLog, {e.Op(kAdd, {x, root})});
    }
    case kAsin: {
      Value* root = e.Op(kSqrt, {e.Op(kMul, {e.Op(kSub, {e.Number(1), x}), e.Op(kAdd, {e.Number(1), x})})});
      return e.Become(kAtan, {e.Op(kDiv, {x, root})});
    }
    case kAcos: {
      Value* root = e.Op(kSqrt, {e.Op(kDiv, {e.Op(kSub, {e.Number(1), x}), e.Op(kAdd, {e.Number(1), x})})});
      return e.Become(kMul, {e.Op(kAtan, {root}), e.Number(2)});
    }
    default: {
      Value* ratio = e.Op(kDiv, {e.Op(kAdd, {x, e.Number(1)}), e.Op(kSub, {e.Number(1), x})});
      return e.Become(kMul, {e.Op(kLog, {ratio}), e.Number(0.5)});
    }
  }
}

bool HasOperator(std::optional<double> low, std::optional<double> high) {
  return low && high && ((*low == 0 && (*high == 6 || *high == 1)) || (*low == -1 && *high == 1));
}

absl::StatusOr<bool> Clip(Graph& graph, Node& node) {
  Value *x = node.input(0), *low = node.input(1), *high = node.input(2);
  const bool is_float = x->type == DataType::kFloat32;
  const std::optional<double> low_number = ScalarOf(low), high_number = ScalarOf(high);
  if (is_float && HasOperator(low_number, high_number)) return false;
  Expansion e(graph, node);
  const bool no_high =
      high == nullptr || (is_float && high_number && *high_number >= std::numeric_limits<float>::max());
  const bool no_low = low == nullptr || (is_float && low_number && *low_number <= std::numeric_limits<float>::lowest());
  if (no_low && no_high) return e.Become(kIdentity, {x});
  if (no_high) return is_float && low_number == 0.0 ? e.Become(kRelu, {x}) : e.Become(kMax, {x, low});
  if (no_low) return e.Become(kMin, {x, high});
  return e.Become(kMin, {e.Op(kMax, {x, low}), high});
}

absl::StatusOr<bool> RuntimePRelu(Graph& graph, Node& node) {
  if (node.constant(1) != nullptr) return false;
  Expansion e(graph, node);
  Value* x = node.input(0);
  Value* below = e.Op(kMul, {e.Op(kMin, {x, e.Number(0)}), node.input(1)});
  return e.Become(kAdd, {e.Op(kRelu, {x}), below});
}

}  // namespace

void AddActivationRules(Rules& rules) {
  rules.push_back(MakeRule("swish-to-sigmoid", {kSwish}, Swish));
  rules.push_back(MakeRule("softplus-to-log", {kSoftplus}, Softplus));
  rules.push_back(MakeRule("mish-to-tanh", {kMish}, Mish));
  rules.push_back(MakeRule("hard-sigmoid-to-relu6", {kHardSigmoid}, HardSigmoid));
  rules.push_back(MakeRule("softsign-to-div", {kSoftsign}, Softsign));
  rules.push_back(MakeRule("elu-with-factors", {kElu, kSelu, kCelu}, EluLike));
  rules.push_back(MakeRule("thresholded-relu-to-where", {kThresholdedRelu}, ThresholdedRelu));
  rules.push_back(MakeRule("shrink-to-where", {kShrink}, Shrink));
  rules.push_back(MakeRule("erf-to-polynomial", {kErf}, Erf));
  rules.push_back(MakeRule("trigonometric-to-arithmetic", {kTan, kSinh, kCosh, kAsin, kAcos, kAsinh, kAcosh, kAtanh},
                           Trigonometric));
  rules.push_back(MakeRule("clip-to-min-max", {kClip}, Clip));
  rules.push_back(MakeRule("runtime-prelu", {kPRelu}, RuntimePRelu));
}

}  // namespace slipway::tflite
