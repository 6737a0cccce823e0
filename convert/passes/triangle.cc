#include "convert/passes/triangle.h"

#include "common/base/error.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"

namespace slipway {
namespace {

constexpr int64_t kMaxElements = int64_t{1} << 24;

class TriangleByMask final : public Rule {
 public:
  explicit TriangleByMask(bool by_product) : by_product_(by_product) {}
  std::string_view name() const override { return "triangle-by-mask"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& trilu) const override {
    Value* x = trilu.input(0);
    if (x->rank() < 2 || !IsFloat(x->type)) return false;
    const Dim &rows = (*x->shape)[x->shape->size() - 2], &columns = x->shape->back();
    const std::optional<double> given = trilu.input(1) == nullptr ? std::optional(0.0) : ScalarOf(trilu.input(1));
    if (!given || !rows.IsKnown() || !columns.IsKnown() || rows.value() * columns.value() > kMaxElements) return false;
    const auto k = static_cast<int64_t>(*given);
    const bool upper = trilu.attributes.Int("upper", 1) != 0;
    std::vector<float> mask;
    for (int64_t row = 0; row < rows.value(); ++row) {
      for (int64_t column = 0; column < columns.value(); ++column)
        mask.push_back((upper ? column - row >= k : column - row <= k) ? 1.0f : 0.0f);
    }
    const Tensor numbers = Tensor::From<float>({rows.value(), columns.value()}, mask);
    const std::string name = trilu.output()->name;
    if (by_product_) {
      RETURN_IF_ERROR(
          Rewrite(graph, trilu, OpKind::kMul, {x, graph.AddConstant(name + "/mask", numbers.Cast(x->type))}, {}));
      return true;
    }
    Value* zero = graph.AddConstant(name + "/zero", Tensor::Scalar(0.0f).Cast(x->type));
    RETURN_IF_ERROR(Rewrite(graph, trilu, OpKind::kWhere,
                            {graph.AddConstant(name + "/mask", numbers.Cast(DataType::kBool)), x, zero}, {}));
    return true;
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kTrilu};
  const bool by_product_;
};

}  // namespace

std::unique_ptr<Rule> MakeTriangleByMask(bool by_product) { return std::make_unique<TriangleByMask>(by_product); }

}  // namespace slipway
