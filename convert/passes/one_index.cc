#include "convert/passes/one_index.h"

#include <numeric>

#include "common/base/error.h"
#include "convert/passes/steps.h"

namespace slipway {
namespace {

using enum OpKind;

constexpr int64_t kMostPlaces = 1 << 16;

// Indices that no model counts from the end.
bool IsFromTheStart(const Value* indices) {
  while (indices->producer != nullptr && (indices->producer->kind == kCast || indices->producer->kind == kUnsqueeze ||
                                          indices->producer->kind == kSqueeze || indices->producer->kind == kReshape))
    indices = indices->producer->input(0);
  return indices->producer != nullptr &&
         (indices->producer->kind == kArgMax || indices->producer->kind == kArgMin || indices->producer->kind == kTopK);
}

class OneIndexByComparison final : public Rule {
 public:
  std::string_view name() const override { return "one-index-by-comparison"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    Value *x = node.input(0), *indices = node.input(1);
    if (!x->shape || !indices->shape || x->type != DataType::kFloat32 || x->rank() != indices->rank() || x->rank() < 1)
      return false;
    const int64_t given = node.attributes.Int("axis", 0), axis = given < 0 ? given + x->rank() : given;
    const auto at = static_cast<size_t>(axis);
    for (size_t i = 0; i < x->shape->size(); ++i) {
      if (i == at ? !((*indices->shape)[i] == Dim(1)) : !((*indices->shape)[i] == (*x->shape)[i])) return false;
    }
    const Dim& size = (*x->shape)[at];
    if (!size.IsKnown() || size.value() < 1 || size.value() > kMostPlaces) return false;
    const bool gathers = node.kind == kGatherElements;
    if (!gathers && node.attributes.String("reduction", "none") != "none") return false;
    Steps s(graph, node);
    Value* index = s.Cast(indices, DataType::kFloat32);
    std::vector<int64_t> along(x->shape->size(), 1);
    along[at] = size.value();
    const auto hit_from = [&](float first) {
      std::vector<float> places(static_cast<size_t>(size.value()));
      std::iota(places.begin(), places.end(), first);
      return s.Op(kEqual, {index, s.Constant(Tensor::From(along, places))});
    };
    Value* hit = hit_from(0);
    if (!IsFromTheStart(indices)) hit = s.Op(kOr, {hit, hit_from(static_cast<float>(-size.value()))});
    if (!gathers) return s.Become(kWhere, {hit, node.input(2), x});
    return s.Become(kReduceSum, {s.Op(kWhere, {hit, x, s.Number(0)}), s.Ints({axis})},
                    Steps::With("keepdims", int64_t{1}));
  }

 private:
  static constexpr OpKind kKinds[] = {kGatherElements, kScatterElements};
};

}  // namespace

std::unique_ptr<Rule> MakeOneIndexByComparison() { return std::make_unique<OneIndexByComparison>(); }

}  // namespace slipway
