#include <array>

#include "common/base/error.h"
#include "convert/ir/cast.h"
#include "convert/passes/fuse/rules.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"

namespace slipway::fuse {
namespace {

// The one number that a value repeats, as often as the run says.
Value* Repeated(Value* value) {
  while (value->producer != nullptr &&
         (value->producer->kind == OpKind::kReshape || value->producer->kind == OpKind::kExpand ||
          value->producer->kind == OpKind::kTile || value->producer->kind == OpKind::kUnsqueeze ||
          value->producer->kind == OpKind::kSqueeze || value->producer->kind == OpKind::kIdentity))
    value = value->producer->input(0);
  if (!value->shape || value->rank() > 1) return nullptr;
  return value->rank() == 0 || value->shape->front() == Dim(1) ? value : nullptr;
}

// x[mask] = number, as PyTorch's newer exporter writes it: ScatterND at the places that NonZero lists → Where, whose sizes no data decides.
class RecogniseMaskedFillRule final : public Rule {
 public:
  std::string_view name() const override { return "recognise-masked-fill"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kScatterND};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& scatter) const override {
    Value* x = scatter.input(0);
    const Node* transpose = ProducerOf(scatter.input(1), OpKind::kTranspose);
    const Node* places = transpose != nullptr ? ProducerOf(transpose->input(0), OpKind::kNonZero) : nullptr;
    if (places == nullptr || PermOf(*transpose) != std::vector<int64_t>{1, 0} ||
        scatter.attributes.String("reduction", "none") != "none")
      return false;
    Value* mask = places->input(0);
    Value* number = Repeated(scatter.input(2));
    if (number == nullptr || !x->shape || !mask->shape || !(*mask->shape == *x->shape)) return false;
    if (mask->type != DataType::kBool) {
      ASSIGN_OR_RETURN(Node* const truth, AddInferred(graph, OpKind::kCast, {mask}, scatter.output()->name + "/mask",
                                                      CastTo(DataType::kBool), &scatter));
      mask = truth->output();
    }
    RETURN_IF_ERROR(Rewrite(graph, scatter, OpKind::kWhere, {mask, number, x}, {}));
    return true;
  }
};

}  // namespace

std::unique_ptr<Rule> RecogniseMaskedFill() { return std::make_unique<RecogniseMaskedFillRule>(); }

}  // namespace slipway::fuse
