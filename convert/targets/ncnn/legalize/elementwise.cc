#include <array>
#include <cfloat>
#include <cmath>
#include <optional>

#include "common/base/error.h"
#include "convert/passes/match.h"
#include "convert/targets/ncnn/legalize/compose.h"
#include "convert/targets/ncnn/legalize/legalize.h"

namespace slipway::ncnn {
namespace {

class FoldVariadic final : public Rule {
 public:
  std::string_view name() const override { return "fold-variadic"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kSum, OpKind::kMean, OpKind::kMin, OpKind::kMax};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    const bool adds = node.kind == OpKind::kSum || node.kind == OpKind::kMean;
    if (!adds && node.inputs.size() == 2) return false;
    const OpKind pair = adds ? OpKind::kAdd : node.kind;
    const std::vector<Value*> operands = node.inputs;
    Composer compose(graph, node);
    if (operands.size() == 1) return compose.Finish(OpKind::kIdentity, {operands[0]});
    const bool divides = node.kind == OpKind::kMean;
    Value* folded = operands[0];
    for (size_t i = 1; i + (divides ? 0 : 1) < operands.size(); ++i) folded = compose.Add(pair, {folded, operands[i]});
    if (divides)
      return compose.Finish(OpKind::kMul, {folded, compose.Constant(1.0f / static_cast<float>(operands.size()))});
    return compose.Finish(pair, {folded, operands.back()});
  }
};

// NCNN's Pow is exp(y log x), also on the machines whose exact one would do: whole exponents become products, and a base of 0 stays above it.
class ExpandPower final : public Rule {
 public:
  std::string_view name() const override { return "expand-power"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kPow};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    constexpr double kMostFactors = 16;
    const std::optional<double> exponent = ScalarOf(node.input(1));
    Value* x = node.input(0);
    if (x->IsConstant()) return false;
    Composer c(graph, node);
    if (exponent && *x->shape == *node.output()->shape) {
      const double size = std::abs(*exponent);
      Value* power = nullptr;
      if (size == 0.5) {
        power = c.Add(OpKind::kSqrt, {x});
      } else if (size == std::floor(size) && size >= 1 && size <= kMostFactors) {
        power = x;
        for (int factors = 1; factors < static_cast<int>(size); ++factors) power = c.Add(OpKind::kMul, {power, x});
      }
      if (power != nullptr) return c.Finish(*exponent > 0 ? OpKind::kIdentity : OpKind::kReciprocal, {power});
    }
    const Node* base = x->producer;
    if ((exponent && *exponent <= 0) ||
        (base != nullptr && base->kind == OpKind::kMax && ScalarOf(base->input(1)) == double{FLT_MIN}))
      return false;
    return c.Finish(OpKind::kPow, {c.Add(OpKind::kMax, {x, c.Constant(FLT_MIN)}), node.input(1)});
  }
};

}  // namespace

std::unique_ptr<Rule> MakeExpandPower() { return std::make_unique<ExpandPower>(); }
std::unique_ptr<Rule> MakeFoldVariadic() { return std::make_unique<FoldVariadic>(); }

}  // namespace slipway::ncnn
