#include "convert/passes/upsample.h"

#include "common/base/error.h"
#include "convert/targets/tflite/legalize/legalize.h"

namespace slipway::tflite {
namespace {

// The operators take the size of their result as a number: a size known only at run time would make the tensor, and all after it, dynamic,
// which no delegate takes.
absl::StatusOr<bool> ResizeOfAnySize(Graph& graph, Node& node) {
  const Value* output = node.output();
  if (output->rank() != 4 || ((*output->shape)[2].IsKnown() && (*output->shape)[3].IsKnown())) return false;
  return ResizeByConvolution(graph, node);
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
