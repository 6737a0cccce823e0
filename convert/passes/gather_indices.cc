#include "convert/passes/gather_indices.h"

#include "common/base/error.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"
#include "convert/passes/steps.h"

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

class TakeFromEnd final : public Rule {
 public:
  std::string_view name() const override { return "take-from-end"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& gather) const override {
    const Tensor* indices = gather.constant(1);
    Value* x = gather.input(0);
    if (indices == nullptr || indices->size() != 1 || indices->rank() > 1 || !x->shape) return false;
    const int64_t at = indices->ToInt64s()[0], given = gather.attributes.Int("axis", 0);
    const int64_t axis = given < 0 ? given + x->rank() : given;
    if (at >= 0 || axis >= x->rank() || (*x->shape)[static_cast<size_t>(axis)].IsKnown()) return false;
    Steps s(graph, gather);
    Value* one = s.Slice(x, axis, at, at == -1 ? INT64_MAX : at + 1);
    if (indices->rank() == 1) return s.Become(OpKind::kIdentity, {one});
    return s.Become(OpKind::kSqueeze, {one, s.Ints({axis})});
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kGather};
};

class FlattenGatherNd final : public Rule {
 public:
  std::string_view name() const override { return "flatten-gather-nd"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& gather) const override {
    const Tensor* indices = gather.constant(1);
    Value* x = gather.input(0);
    const Value* result = gather.output();
    if (indices == nullptr || indices->rank() < 1 || indices->size() == 0 || !x->shape || !result->shape ||
        gather.attributes.Int("batch_dims", 0) != 0)
      return false;
    const auto depth = static_cast<size_t>(indices->shape().back());
    const auto named = StaticShape(Shape(x->shape->begin(), x->shape->begin() + static_cast<int64_t>(depth)));
    if (!named) return false;
    const std::vector<int64_t> places = indices->ToInt64s();
    std::vector<int64_t> list(places.size() / depth, 0);
    for (size_t i = 0; i < places.size(); ++i) {
      const int64_t size = (*named)[i % depth], place = places[i] < 0 ? places[i] + size : places[i];
      list[i / depth] = list[i / depth] * size + place;
    }
    Shape merged = {Dim(ElementCount(*named))}, gathered = {Dim(static_cast<int64_t>(list.size()))};
    for (auto* shape : {&merged, &gathered})
      shape->insert(shape->end(), x->shape->begin() + static_cast<int64_t>(depth), x->shape->end());
    const auto before = ReshapeTarget(*x->shape, merged), after = ReshapeTarget(gathered, *result->shape);
    if (!before || !after) return false;
    Steps s(graph, gather);
    Value* rows = depth == 1 ? x : s.Reshape(x, *before);
    Value* picked = s.Op(OpKind::kGather, {rows, s.Ints(list)}, Steps::With("axis", int64_t{0}));
    return s.Become(OpKind::kReshape, {picked, s.Ints(*after)});
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kGatherND};
};

}  // namespace

std::unique_ptr<Rule> MakeTakeFromEnd() { return std::make_unique<TakeFromEnd>(); }
std::unique_ptr<Rule> MakeFlattenGatherNd() { return std::make_unique<FlattenGatherNd>(); }
std::unique_ptr<Rule> MakeFlattenGatherIndices() { return std::make_unique<FlattenGatherIndices>(); }

}  // namespace slipway
