#include <array>

#include "common/base/error.h"
#include "convert/passes/match.h"
#include "convert/targets/ncnn/legalize/compose.h"
#include "convert/targets/ncnn/legalize/legalize.h"

namespace slipway::ncnn {
namespace {

// Functions without a layer, by their definitions.
class ComposeActivation final : public Rule {
 public:
  std::string_view name() const override { return "compose-activation"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {
        OpKind::kSoftplus, OpKind::kSoftsign, OpKind::kSinh,  OpKind::kCosh,  OpKind::kAsinh,
        OpKind::kAcosh,    OpKind::kAtanh,    OpKind::kPRelu, OpKind::kSwish, OpKind::kMeanVarianceNormalization};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    Composer c(graph, node);
    Value* x = node.input(0);
    const auto exp = [&c](Value* value) { return c.Add(OpKind::kExp, {value}); };
    const auto half = [&c](OpKind sum, Value* a, Value* b) {
      return c.Finish(OpKind::kMul, {c.Add(sum, {a, b}), c.Constant(0.5f)});
    };
    switch (node.kind) {
      case OpKind::kSoftplus: {  // max(x, 0) + log(1 + exp(-|x|)): exp never overflows
        Value* tail = c.Add(OpKind::kAdd, {exp(c.Add(OpKind::kNeg, {c.Add(OpKind::kAbs, {x})})), c.Constant(1)});
        return c.Finish(OpKind::kAdd, {c.Add(OpKind::kRelu, {x}), c.Add(OpKind::kLog, {tail})});
      }
      case OpKind::kSoftsign:
        return c.Finish(OpKind::kDiv, {x, c.Add(OpKind::kAdd, {c.Add(OpKind::kAbs, {x}), c.Constant(1)})});
      case OpKind::kSinh:
        return half(OpKind::kSub, exp(x), exp(c.Add(OpKind::kNeg, {x})));
      case OpKind::kCosh:
        return half(OpKind::kAdd, exp(x), exp(c.Add(OpKind::kNeg, {x})));
      case OpKind::kAsinh: {
        Value* root = c.Add(OpKind::kSqrt, {c.Add(OpKind::kAdd, {c.Add(OpKind::kMul, {x, x}), c.Constant(1)})});
        return c.Finish(OpKind::kLog, {c.Add(OpKind::kAdd, {x, root})});
      }
      case OpKind::kAcosh: {
        Value* root = c.Add(OpKind::kSqrt, {c.Add(OpKind::kSub, {c.Add(OpKind::kMul, {x, x}), c.Constant(1)})});
        return c.Finish(OpKind::kLog, {c.Add(OpKind::kAdd, {x, root})});
      }
      case OpKind::kAtanh: {
        Value* ratio =
            c.Add(OpKind::kDiv, {c.Add(OpKind::kAdd, {x, c.Constant(1)}), c.Add(OpKind::kSub, {c.Constant(1), x})});
        return c.Finish(OpKind::kMul, {c.Add(OpKind::kLog, {ratio}), c.Constant(0.5f)});
      }
      case OpKind::kPRelu: {  // slopes other than one a channel
        Value* slope = node.input(1);
        if (slope->IsConstant() && !VariesAlongOtherThanChannels(*x, *slope->constant)) return false;
        Value* below = c.Add(OpKind::kMin, {x, c.Constant(0)});
        return c.Finish(OpKind::kAdd, {c.Add(OpKind::kRelu, {x}), c.Add(OpKind::kMul, {slope, below})});
      }
      case OpKind::kSwish: {
        const float alpha = node.attributes.Float("alpha", 1);
        if (alpha == 1) return false;
        return c.Finish(OpKind::kMul, {x, c.Add(OpKind::kSigmoid, {c.Add(OpKind::kMul, {x, c.Constant(alpha)})})});
      }
      case OpKind::kMeanVarianceNormalization: {
        Value* axes = c.Constant(Tensor::Int64s(node.attributes.Ints("axes", {0, 2, 3})));
        Value* centred = c.Add(OpKind::kSub, {x, c.Add(OpKind::kReduceMean, {x, axes})});
        Value* variance = c.Add(OpKind::kReduceMean, {c.Add(OpKind::kMul, {centred, centred}), axes});
        return c.Finish(OpKind::kDiv,
                        {centred, c.Add(OpKind::kAdd, {c.Add(OpKind::kSqrt, {variance}), c.Constant(1e-9f)})});
      }
      default:
        return false;
    }
  }

 private:
  static bool VariesAlongOtherThanChannels(const Value& x, const Tensor& slope) {
    const int64_t channels = x.rank() >= 2 && x.shape->front() == Dim(1) ? 1 : 0;
    for (int64_t i = 0; i < slope.rank(); ++i) {
      const int64_t axis = x.rank() - slope.rank() + i;
      if (slope.shape()[static_cast<size_t>(i)] != 1 && axis != channels) return true;
    }
    return false;
  }
};

// The layers of convolutions and inner products end with an activation of their own.
class FuseActivation final : public Rule {
 public:
  std::string_view name() const override { return "fuse-activation"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kRelu, OpKind::kClip};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    Node* product = nullptr;
    for (const OpKind kind : {OpKind::kConv, OpKind::kConvTranspose, OpKind::kGemm}) {
      if (Node* found = SoleProducer(graph, node.input(0), kind); found != nullptr) product = found;
    }
    if (product == nullptr || product->attributes.Has("activation")) return false;
    Attributes attributes = product->attributes;
    if (node.kind == OpKind::kClip) {
      for (const size_t bound : {1, 2}) {
        if (!ScalarOf(node.input(bound))) return false;
      }
      attributes.Set("activation_min", static_cast<float>(*ScalarOf(node.input(1))));
      attributes.Set("activation_max", static_cast<float>(*ScalarOf(node.input(2))));
    }
    attributes.Set("activation", std::string(Name(node.kind)));
    // The product's own result is not there any more: its value is the activation's from here on.
    const Origin origin = node.output()->origin;
    if (!Bypass(graph, node, product->output())) return false;
    product->output()->origin = origin;
    product->attributes = std::move(attributes);
    return true;
  }
};

}  // namespace

std::unique_ptr<Rule> MakeFuseActivation() { return std::make_unique<FuseActivation>(); }
std::unique_ptr<Rule> MakeComposeActivation() { return std::make_unique<ComposeActivation>(); }

}  // namespace slipway::ncnn
