#include <limits>
#include <numeric>

#include "common/base/error.h"
#include "convert/ir/cast.h"
#include "convert/targets/tflite/legalize/legalize.h"

namespace slipway::tflite {
namespace {

using enum OpKind;

// One where the index equals that of the first maximum.
absl::StatusOr<bool> Hardmax(Graph& graph, Node& node) {
  const int64_t rank = node.input(0)->rank();
  if (rank < 1) return false;
  const int64_t given = node.attributes.Int("axis", -1), axis = given < 0 ? given + rank : given;
  const Dim& size = (*node.input(0)->shape)[static_cast<size_t>(axis)];
  if (!size.IsKnown()) return false;
  std::vector<int64_t> counts(static_cast<size_t>(size.value()));
  std::iota(counts.begin(), counts.end(), int64_t{0});
  std::vector<int64_t> shape(static_cast<size_t>(rank), 1);
  shape[static_cast<size_t>(axis)] = size.value();
  Expansion e(graph, node);
  Value* first = e.Op(kArgMax, {node.input(0)}, With("axis", axis));
  Value* hit = e.Op(kEqual, {first, e.Constant(Tensor::From(shape, counts))});
  return e.Become(kCast, {hit}, With("to", ElementTypeCode(node.output()->type)));
}

// Among equals the last: the first of the reversed axis, counted from the end.
absl::StatusOr<bool> LastExtreme(Graph& graph, Node& node) {
  const int64_t rank = node.input(0)->rank();
  if (node.attributes.Int("select_last_index", 0) == 0 || rank < 1) return false;
  const int64_t given = node.attributes.Int("axis", 0), axis = given < 0 ? given + rank : given;
  const Dim& size = (*node.input(0)->shape)[static_cast<size_t>(axis)];
  if (!size.IsKnown()) return false;
  Expansion e(graph, node);
  constexpr int64_t kBeforeStart = std::numeric_limits<int32_t>::min();
  Value* reversed = e.Op(kSlice, {node.input(0), e.Axes({-1}), e.Axes({kBeforeStart}), e.Axes({axis}), e.Axes({-1})});
  Attributes attributes = node.attributes;
  attributes.Erase("select_last_index");
  Value* first = e.Op(node.kind, {reversed}, attributes);
  return e.Become(kSub, {e.Constant(Tensor::From<int64_t>({}, {size.value() - 1})), first});
}

}  // namespace

void AddSelectRules(Rules& rules) {
  rules.push_back(MakeRule("hardmax-to-equal", {kHardmax}, Hardmax));
  rules.push_back(MakeRule("last-extreme-by-reversal", {kArgMax, kArgMin}, LastExtreme));
}

}  // namespace slipway::tflite
