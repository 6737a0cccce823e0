#include <limits>

#include "common/base/error.h"
#include "convert/targets/coreml/emit.h"

namespace slipway::coreml_writer {
namespace {

void Relu(const Node& node, Program& out) { out.Emit(node, "relu", {{"x", {out.Operand(node, 0)}}}); }

void Sigmoid(const Node& node, Program& out) { out.Emit(node, "sigmoid", {{"x", {out.Operand(node, 0)}}}); }

void Tanh(const Node& node, Program& out) { out.Emit(node, "tanh", {{"x", {out.Operand(node, 0)}}}); }

void Softplus(const Node& node, Program& out) { out.Emit(node, "softplus", {{"x", {out.Operand(node, 0)}}}); }

void Softsign(const Node& node, Program& out) { out.Emit(node, "softsign", {{"x", {out.Operand(node, 0)}}}); }

void LeakyRelu(const Node& node, Program& out) {
  out.Emit(node, "leaky_relu",
           {{"x", {out.Operand(node, 0)}}, {"alpha", {out.Float(node.attributes.Float("alpha", 0.01f))}}});
}

void Elu(const Node& node, Program& out) {
  out.Emit(node, "elu", {{"x", {out.Operand(node, 0)}}, {"alpha", {out.Float(node.attributes.Float("alpha", 1))}}});
}

void HardSigmoid(const Node& node, Program& out) {
  out.Emit(node, "sigmoid_hard",
           {{"x", {out.Operand(node, 0)}},
            {"alpha", {out.Float(node.attributes.Float("alpha", 0.2f))}},
            {"beta", {out.Float(node.attributes.Float("beta", 0.5f))}}});
}

void Gelu(const Node& node, Program& out) {
  const bool tanh = node.attributes.String("approximate", "none") == "tanh";
  out.Emit(node, "gelu", {{"x", {out.Operand(node, 0)}}, {"mode", {out.Text(tanh ? "TANH_APPROXIMATION" : "EXACT")}}});
}

// alpha: one a channel, along axis 1.
absl::Status CheckPrelu(const Node& node) {
  const Tensor* alpha = node.constant(1);
  if (node.input(0)->rank() < 3 || alpha == nullptr || alpha->rank() != 1) {
    return Unsupported(node, "prelu takes 3 to 5 axes and a constant slope for each channel",
                       "rule prelu-slopes makes other forms of Relu, Mul and Sub");
  }
  return absl::OkStatus();
}

void Prelu(const Node& node, Program& out) {
  out.Emit(node, "prelu", {{"x", {out.Operand(node, 0)}}, {"alpha", {out.Operand(node, 1)}}});
}

absl::Status CheckClip(const Node& node) {
  for (size_t i : {1, 2}) {
    if (node.input(i) != nullptr && node.constant(i) == nullptr)
      return Unsupported(node, "its bounds are computed", "rule clip-to-min-max");
  }
  if (!IsFloat(node.input(0)->type)) return Unsupported(node, "clip takes floats", "rule clip-to-min-max");
  return absl::OkStatus();
}

void Clip(const Node& node, Program& out) {
  constexpr float kMax = std::numeric_limits<float>::max();
  const float low = node.constant(1) == nullptr ? -kMax : node.constant(1)->ToFloats().at(0);
  const float high = node.constant(2) == nullptr ? kMax : node.constant(2)->ToFloats().at(0);
  out.Emit(node, "clip", {{"x", {out.Operand(node, 0)}}, {"alpha", {out.Float(low)}}, {"beta", {out.Float(high)}}});
}

constexpr OpEmitter kEmitters[] = {
    {OpKind::kRelu, Relu},
    {OpKind::kSigmoid, Sigmoid},
    {OpKind::kTanh, Tanh},
    {OpKind::kSoftplus, Softplus},
    {OpKind::kSoftsign, Softsign},
    {OpKind::kLeakyRelu, LeakyRelu},
    {OpKind::kElu, Elu},
    {OpKind::kHardSigmoid, HardSigmoid},
    {OpKind::kGelu, Gelu},
    {OpKind::kPRelu, Prelu, CheckPrelu},
    {OpKind::kClip, Clip, CheckClip},
};

}  // namespace

std::span<const OpEmitter> ActivationEmitters() { return kEmitters; }

}  // namespace slipway::coreml_writer
