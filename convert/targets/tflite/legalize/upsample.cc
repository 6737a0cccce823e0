#include "convert/passes/upsample.h"

#include <cmath>

#include "common/base/error.h"
#include "convert/passes/resize_by_gather.h"
#include "convert/targets/tflite/legalize/legalize.h"
#include "convert/targets/tflite/ops/ops.h"

namespace slipway::tflite {
namespace {

// The operators take the size of their result as a number: a size known only at run time would make the tensor, and all after it, dynamic,
// which no delegate takes.
absl::StatusOr<bool> ResizeOfAnySize(Graph& graph, Node& node) {
  const Value* output = node.output();
  if (output->rank() != 4 || ((*output->shape)[2].IsKnown() && (*output->shape)[3].IsKnown())) return false;
  ASSIGN_OR_RETURN(const bool convolved, ResizeByConvolution(graph, node));
  if (convolved) return true;
  // The operator takes sizes; rule runtime-sizes multiplies by whole factors only.
  bool whole = true;
  if (const Tensor* scales = node.constant(2); scales != nullptr && node.input(3) == nullptr) {
    for (const double scale : scales->ToDoubles()) whole &= scale >= 1 && scale == std::floor(scale);
  }
  return whole && HasResizeOperator(node) ? false : ResizeByGather(graph, node);
}

absl::StatusOr<bool> TransposedOfAnySize(Graph& graph, Node& node) {
  if (node.output()->shape && IsStatic(*node.output()->shape)) return false;
  return TransposedByConvolution(graph, node);
}

}  // namespace

void AddUpsampleRules(Rules& rules) {
  rules.push_back(MakeRule("resize-of-any-size", {OpKind::kResize}, ResizeOfAnySize));
  rules.push_back(MakeRule("transposed-of-any-size", {OpKind::kConvTranspose}, TransposedOfAnySize));
}

}  // namespace slipway::tflite
