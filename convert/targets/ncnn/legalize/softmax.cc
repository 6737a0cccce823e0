#include <array>

#include "common/base/error.h"
#include "convert/targets/ncnn/legalize/compose.h"
#include "convert/targets/ncnn/legalize/legalize.h"

namespace slipway::ncnn {
namespace {

// (x - max) - log(sum(exp(x - max))): the logarithm of Softmax's result would lose what is small.
class ComposeLogSoftmax final : public Rule {
 public:
  std::string_view name() const override { return "compose-log-softmax"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kLogSoftmax};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    Composer c(graph, node);
    Value* axis = c.Constant(Tensor::Int64s({node.attributes.Int("axis", -1)}));
    Value* shifted = c.Add(OpKind::kSub, {node.input(0), c.Add(OpKind::kReduceMax, {node.input(0), axis})});
    Value* sum = c.Add(OpKind::kReduceSum, {c.Add(OpKind::kExp, {shifted}), axis});
    return c.Finish(OpKind::kSub, {shifted, c.Add(OpKind::kLog, {sum})});
  }
};

}  // namespace

std::unique_ptr<Rule> MakeComposeLogSoftmax() { return std::make_unique<ComposeLogSoftmax>(); }

}  // namespace slipway::ncnn
