#include "common/base/error.h"
#include "convert/passes/match.h"
#include "convert/targets/tflite/legalize/legalize.h"

namespace slipway::tflite {
namespace {

using enum OpKind;

absl::StatusOr<bool> Composed(Graph& graph, Node& node) {
  Expansion e(graph, node);
  Value* x = node.input(0);
  const Attributes attributes = node.attributes;
  const auto reduced = [&](OpKind kind, Value* data) {
    std::vector<Value*> inputs = {data};
    if (node.input(1) != nullptr) inputs.push_back(node.input(1));
    return e.Op(kind, inputs, attributes);
  };
  switch (node.kind) {
    case kReduceL1:
      return e.Become(kIdentity, {reduced(kReduceSum, e.Op(kAbs, {x}))});
    case kReduceL2:
      return e.Become(kSqrt, {reduced(kReduceSum, e.Op(kMul, {x, x}))});
    case kReduceSumSquare:
      return e.Become(kIdentity, {reduced(kReduceSum, e.Op(kMul, {x, x}))});
    case kReduceLogSum:
      return e.Become(kLog, {reduced(kReduceSum, x)});
    default: {
      // log Σ e^x = m + log Σ e^(x - m) with m the greatest x.
      Attributes kept = attributes;
      kept.Set("keepdims", int64_t{1});
      std::vector<Value*> inputs = {x};
      if (node.input(1) != nullptr) inputs.push_back(node.input(1));
      Value* shifted = e.Op(kExp, {e.Op(kSub, {x, e.Op(kReduceMax, inputs, kept)})});
      return e.Become(kAdd, {e.Op(kLog, {reduced(kReduceSum, shifted)}), reduced(kReduceMax, x)});
    }
  }
}

absl::StatusOr<bool> ArgWithoutAxis(Graph& graph, Node& node) {
  if (node.attributes.Int("keepdims", 1) == 0 || node.input(0)->rank() < 1) return false;
  const int64_t axis = node.attributes.Int("axis", 0);
  Expansion e(graph, node);
  Attributes attributes = node.attributes;
  attributes.Set("keepdims", int64_t{0});
  Value* dropped = e.Op(node.kind, {node.input(0)}, attributes);
  return e.Become(kUnsqueeze, {dropped, e.Axes({axis < 0 ? axis + node.input(0)->rank() : axis})});
}

}  // namespace

void AddReduceRules(Rules& rules) {
  rules.push_back(MakeRule("composed-reduction",
                           {kReduceL1, kReduceL2, kReduceSumSquare, kReduceLogSum, kReduceLogSumExp}, Composed));
  rules.push_back(MakeRule("arg-without-axis", {kArgMax, kArgMin}, ArgWithoutAxis));
}

}  // namespace slipway::tflite
