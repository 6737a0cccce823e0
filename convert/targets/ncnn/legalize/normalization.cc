#include <array>
#include <cmath>

#include "common/base/error.h"
#include "convert/targets/ncnn/legalize/compose.h"
#include "convert/targets/ncnn/legalize/legalize.h"

namespace slipway::ncnn {
namespace {

// NCNN's BatchNorm takes a blob's outermost axis for the channels: with more than one sample that is the batch.
class LowerBatchNorm final : public Rule {
 public:
  std::string_view name() const override { return "lower-batch-norm"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kBatchNormalization};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    Value* x = node.input(0);
    if (x->rank() < 2 || x->shape->front() == Dim(1)) return false;
    for (const size_t i : {1, 2, 3, 4}) {
      if (node.constant(i) == nullptr) return false;
    }
    std::vector<double> scale = node.constant(1)->ToDoubles(), shift = node.constant(2)->ToDoubles();
    const std::vector<double> mean = node.constant(3)->ToDoubles(), variance = node.constant(4)->ToDoubles();
    std::vector<float> factors, terms;
    for (size_t i = 0; i < scale.size(); ++i) {
      const double factor = scale[i] / std::sqrt(variance[i] + node.attributes.Float("epsilon", 1e-5f));
      factors.push_back(static_cast<float>(factor));
      terms.push_back(static_cast<float>(shift[i] - mean[i] * factor));
    }
    std::vector<int64_t> shape(static_cast<size_t>(x->rank() - 1), 1);
    shape.front() = static_cast<int64_t>(factors.size());
    Composer c(graph, node);
    Value* scaled = c.Add(OpKind::kMul, {x, c.Constant(Tensor::From(shape, factors))});
    return c.Finish(OpKind::kAdd, {scaled, c.Constant(Tensor::From(shape, terms))});
  }
};

}  // namespace

std::unique_ptr<Rule> MakeLowerBatchNorm() { return std::make_unique<LowerBatchNorm>(); }

}  // namespace slipway::ncnn
