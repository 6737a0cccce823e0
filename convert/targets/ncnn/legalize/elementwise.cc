#include <array>

#include "common/base/error.h"
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

}  // namespace

std::unique_ptr<Rule> MakeFoldVariadic() { return std::make_unique<FoldVariadic>(); }

}  // namespace slipway::ncnn
