#include <array>

#include "common/base/error.h"
#include "convert/targets/ncnn/legalize/compose.h"
#include "convert/targets/ncnn/legalize/legalize.h"

namespace slipway::ncnn {
namespace {

// Expand of known sizes → Unsqueeze to the output's rank (as Reshape) and Tile.
class ExpandToTile final : public Rule {
 public:
  std::string_view name() const override { return "expand-to-tile"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kExpand};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& expand) const override {
    Value* x = expand.input(0);
    if (!x->shape || !expand.output()->shape) return false;
    Shape from = *x->shape;
    const Shape to = *expand.output()->shape;
    from.insert(from.begin(), to.size() - from.size(), Dim(1));
    std::vector<int64_t> repeats;
    for (size_t i = 0; i < to.size(); ++i) {
      if (from[i] == to[i]) {
        repeats.push_back(1);
      } else if (from[i] == Dim(1) && to[i].IsKnown()) {
        repeats.push_back(to[i].value());
      } else {
        return false;
      }
    }
    Composer compose(graph, expand);
    if (x->rank() != static_cast<int64_t>(to.size())) {
      std::vector<int64_t> axes;
      for (size_t i = 0; i < to.size() - x->shape->size(); ++i) axes.push_back(static_cast<int64_t>(i));
      x = compose.Add(OpKind::kUnsqueeze, {x, compose.Constant(Tensor::Int64s(axes))});
    }
    return compose.Finish(OpKind::kTile, {x, compose.Constant(Tensor::Int64s(repeats))});
  }
};

}  // namespace

std::unique_ptr<Rule> MakeExpandToTile() { return std::make_unique<ExpandToTile>(); }

}  // namespace slipway::ncnn
