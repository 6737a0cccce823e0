// Activations, and the functions of UnaryOp: one layer each, of the blob's own sizes.
#include <cfloat>

#include "common/base/error.h"
#include "convert/targets/ncnn/ops/ops.h"
#include "convert/targets/target.h"

namespace slipway::ncnn {
namespace {

absl::Status Always(const Node&) { return absl::OkStatus(); }

absl::Status Pointwise(std::string_view type, const Node& node, Emitter& emitter, Params params = {},
                       std::vector<Weights> weights = {}) {
  return emitter.Layer(type, node, {node.input(0)}, {node.output()}, std::move(params), std::move(weights));
}

// UnaryOp's op_type.
template <int64_t Type>
absl::Status EmitUnary(const Node& node, Emitter& emitter) {
  return Pointwise("UnaryOp", node, emitter, {{0, Type}});
}

absl::Status EmitRelu(const Node& node, Emitter& emitter) { return Pointwise("ReLU", node, emitter); }
absl::Status EmitLeakyRelu(const Node& node, Emitter& emitter) {
  return Pointwise("ReLU", node, emitter, {{0, node.attributes.Float("alpha", 0.01f)}});
}
absl::Status EmitElu(const Node& node, Emitter& emitter) {
  return Pointwise("ELU", node, emitter, {{0, node.attributes.Float("alpha", 1)}});
}
absl::Status EmitCelu(const Node& node, Emitter& emitter) {
  return Pointwise("CELU", node, emitter, {{0, node.attributes.Float("alpha", 1)}});
}
absl::Status EmitSelu(const Node& node, Emitter& emitter) {
  return Pointwise(
      "SELU", node, emitter,
      {{0, node.attributes.Float("alpha", 1.67326319f)}, {1, node.attributes.Float("gamma", 1.05070102f)}});
}
absl::Status EmitGelu(const Node& node, Emitter& emitter) {
  return Pointwise("GELU", node, emitter, {{0, int64_t{node.attributes.String("approximate", "none") == "tanh"}}});
}
absl::Status EmitSigmoid(const Node& node, Emitter& emitter) { return Pointwise("Sigmoid", node, emitter); }
absl::Status EmitHardSigmoid(const Node& node, Emitter& emitter) {
  return Pointwise("HardSigmoid", node, emitter,
                   {{0, node.attributes.Float("alpha", 0.2f)}, {1, node.attributes.Float("beta", 0.5f)}});
}
absl::Status EmitHardSwish(const Node& node, Emitter& emitter) {
  return Pointwise("HardSwish", node, emitter, {{0, 1.0f / 6}, {1, 0.5f}});
}
absl::Status CheckSwish(const Node& node) {
  if (node.attributes.Float("alpha", 1) != 1)
    return Unsupported(node, "an alpha other than 1", "write it as x * Sigmoid(alpha * x)");
  return absl::OkStatus();
}
absl::Status EmitSwish(const Node& node, Emitter& emitter) { return Pointwise("Swish", node, emitter); }
absl::Status EmitMish(const Node& node, Emitter& emitter) { return Pointwise("Mish", node, emitter); }
absl::Status EmitTanh(const Node& node, Emitter& emitter) { return Pointwise("TanH", node, emitter); }
absl::Status EmitErf(const Node& node, Emitter& emitter) { return Pointwise("Erf", node, emitter); }
absl::Status EmitShrink(const Node& node, Emitter& emitter) {
  return Pointwise("Shrink", node, emitter,
                   {{0, node.attributes.Float("bias", 0)}, {1, node.attributes.Float("lambd", 0.5f)}});
}

absl::Status CheckClip(const Node& node) {
  for (const size_t bound : {1, 2}) {
    if (node.input(bound) != nullptr && node.constant(bound) == nullptr)
      return Unsupported(node, "a computed bound", "write it as Min and Max");
  }
  return absl::OkStatus();
}
absl::Status EmitClip(const Node& node, Emitter& emitter) {
  const float low = node.constant(1) != nullptr ? node.constant(1)->ToFloats()[0] : -FLT_MAX;
  const float high = node.constant(2) != nullptr ? node.constant(2)->ToFloats()[0] : FLT_MAX;
  return Pointwise("Clip", node, emitter, {{0, low}, {1, high}});
}

// One slope, or one an element of the blob's outermost axis.
bool HasChannelSlopes(const Node& node) {
  const Tensor& slope = *node.constant(1);
  if (slope.size() == 1) return true;
  const Value& x = *node.input(0);
  const int64_t channel_axis = DropsBatch(x) ? 1 : 0;
  const int64_t from_end = x.rank() - channel_axis;  // the channel's place in the slope, counted from the end
  return slope.rank() >= from_end && slope.shape()[static_cast<size_t>(slope.rank() - from_end)] == slope.size() &&
         (*x.shape)[static_cast<size_t>(channel_axis)] == Dim(slope.size());
}
absl::Status CheckPRelu(const Node& node) {
  if (node.constant(1) == nullptr || !HasChannelSlopes(node))
    return Unsupported(node, "slopes that are not one a channel", "write it as Max(x, 0) + slope * Min(x, 0)");
  return absl::OkStatus();
}
absl::Status EmitPRelu(const Node& node, Emitter& emitter) {
  const Tensor& slope = *node.constant(1);
  return Pointwise("PReLU", node, emitter, {{0, slope.size()}}, {Untagged(slope)});
}

}  // namespace

std::span<const OpEmitter> ActivationOps() {
  static constexpr OpEmitter kOps[] = {
      {OpKind::kRelu, Always, EmitRelu},
      {OpKind::kLeakyRelu, Always, EmitLeakyRelu},
      {OpKind::kPRelu, CheckPRelu, EmitPRelu},
      {OpKind::kElu, Always, EmitElu},
      {OpKind::kCelu, Always, EmitCelu},
      {OpKind::kSelu, Always, EmitSelu},
      {OpKind::kGelu, Always, EmitGelu},
      {OpKind::kSigmoid, Always, EmitSigmoid},
      {OpKind::kHardSigmoid, Always, EmitHardSigmoid},
      {OpKind::kHardSwish, Always, EmitHardSwish},
      {OpKind::kSwish, CheckSwish, EmitSwish},
      {OpKind::kMish, Always, EmitMish},
      {OpKind::kTanh, Always, EmitTanh},
      {OpKind::kShrink, Always, EmitShrink},
      {OpKind::kClip, CheckClip, EmitClip},
      {OpKind::kErf, Always, EmitErf},
      {OpKind::kAbs, Always, EmitUnary<0>},
      {OpKind::kNeg, Always, EmitUnary<1>},
      {OpKind::kFloor, Always, EmitUnary<2>},
      {OpKind::kCeil, Always, EmitUnary<3>},
      {OpKind::kSqrt, Always, EmitUnary<5>},
      {OpKind::kExp, Always, EmitUnary<7>},
      {OpKind::kLog, Always, EmitUnary<8>},
      {OpKind::kSin, Always, EmitUnary<9>},
      {OpKind::kCos, Always, EmitUnary<10>},
      {OpKind::kTan, Always, EmitUnary<11>},
      {OpKind::kAsin, Always, EmitUnary<12>},
      {OpKind::kAcos, Always, EmitUnary<13>},
      {OpKind::kAtan, Always, EmitUnary<14>},
      {OpKind::kReciprocal, Always, EmitUnary<15>},
      {OpKind::kRound, Always, EmitUnary<18>},
  };
  return kOps;
}

}  // namespace slipway::ncnn
