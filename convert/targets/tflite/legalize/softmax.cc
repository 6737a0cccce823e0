#include <numeric>

#include "common/base/error.h"
#include "convert/passes/match.h"
#include "convert/targets/tflite/legalize/legalize.h"

namespace slipway::tflite {
namespace {

using enum OpKind;

absl::StatusOr<bool> LastAxis(Graph& graph, Node& node) {
  const int64_t rank = node.input(0)->rank();
  if (rank < 1) return false;
  int64_t axis = node.attributes.Int("axis", -1);
  if (axis < 0) axis += rank;
  if (axis == rank - 1) return false;
  std::vector<int64_t> swap(static_cast<size_t>(rank));
  std::iota(swap.begin(), swap.end(), 0);
  std::swap(swap[axis], swap.back());
  Expansion e(graph, node);
  Value* moved = e.Op(kTranspose, {node.input(0)}, With("perm", swap));
  return e.Become(kTranspose, {e.Op(node.kind, {moved}, With("axis", int64_t{-1}))}, With("perm", swap));
}

// The operator takes four axes: those before the last become one.
absl::StatusOr<bool> FewAxes(Graph& graph, Node& node) {
  const Value* x = node.input(0);
  const int64_t rank = x->rank();
  const int64_t axis = node.attributes.Int("axis", -1);
  if (rank <= 4 || (axis != -1 && axis != rank - 1) || !x->shape->back().IsKnown()) return false;
  const int64_t size = x->shape->back().value();
  const auto back = ReshapeTarget({Dim::Unknown(), Dim(size)}, *x->shape);
  if (!back) return false;
  Expansion e(graph, node);
  Value* rows = e.Op(kReshape, {node.input(0), e.Axes({-1, size})});
  return e.Become(kReshape, {e.Op(node.kind, {rows}, With("axis", int64_t{-1})), e.Axes(*back)});
}

}  // namespace

void AddSoftmaxRules(Rules& rules) {
  rules.push_back(MakeRule("softmax-last-axis", {kSoftmax, kLogSoftmax}, LastAxis));
  rules.push_back(MakeRule("softmax-of-few-axes", {kSoftmax, kLogSoftmax}, FewAxes));
}

}  // namespace slipway::tflite
