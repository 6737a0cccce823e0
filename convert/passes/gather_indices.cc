#include "convert/passes/gather_indices.h"

#include "common/base/error.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"

namespace slipway {
namespace {

class FlattenGatherIndices final : public Rule {
 public:
  std::string_view name() const override { return "flatten-gather-indices"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& gather) const override {
    const Tensor* indices = gather.constant(1);
    const Value *x = gather.input(0), *result = gather.output();
    if (indices == nullptr || indices->rank() < 2 || !x->shape || !result->shape) return false;
    const int64_t given = gather.attributes.Int("axis", 0);
    const auto axis = static_cast<size_t>(given < 0 ? given + x->rank() : given);
    Shape flat = *x->shape;
    if (axis >= flat.size()) return false;
    flat[axis] = Dim(indices->size());
    const auto target = ReshapeTarget(flat, *result->shape);
    if (!target) return false;
    const std::string name = result->name;
    Value* list = graph.AddConstant(name + "/list", indices->Reshaped({indices->size()}));
    ASSIGN_OR_RETURN(Node* const gathered, AddInferred(graph, OpKind::kGather, {gather.input(0), list}, name + "/flat",
                                                       gather.attributes, &gather));
    Value* sizes = graph.AddConstant(name + "/sizes", Tensor::Int64s(*target));
    RETURN_IF_ERROR(Rewrite(graph, gather, OpKind::kReshape, {gathered->output(), sizes}, {}));
    return true;
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kGather};
};

}  // namespace

std::unique_ptr<Rule> MakeFlattenGatherIndices() { return std::make_unique<FlattenGatherIndices>(); }

}  // namespace slipway
