#include <algorithm>

#include "convert/ir/resample.h"
#include "convert/passes/upsample.h"
#include "convert/targets/coreml/emit.h"
#include "convert/targets/coreml/legalize/builder.h"
#include "convert/targets/coreml/legalize/rules.h"

namespace slipway::coreml_writer {
namespace {

// Interpolation is linear in the data, whatever the mode, and an axis at a time: products with constant matrices. Left alone: what Core ML has
// itself (CheckNode), antialiasing, sizes that are not known, axes before the last two.
absl::StatusOr<bool> ResizeByMatrices(Graph& graph, Node& node) {
  Value* x = node.inputs[0];
  if (CheckNode(node).ok() || x->rank() < 3 || !IsFloat(x->type)) return false;
  const absl::StatusOr<std::vector<ResampledAxis>> axes = ReadResampling(node);
  if (!axes.ok()) return false;
  const size_t rank = axes->size();
  bool crops = false;
  for (size_t i = 0; i < rank; ++i) {
    if (i + 2 < rank && !(*axes)[i].identity) return false;
    crops |= std::ranges::count((*axes)[i].outside, true) > 0;
  }
  Builder to(graph, node);
  // [to, from]
  const auto matrix = [&](const ResampledAxis& axis) {
    return Tensor::From({axis.to, axis.from}, axis.weights).Cast(x->type);
  };
  Value* result = x;
  if (const ResampledAxis& columns = (*axes)[rank - 1]; !columns.identity)
    result = to.Op(OpKind::kMatMul, {result, to.Constant(Transpose(matrix(columns), {1, 0}))});
  if (const ResampledAxis& rows = (*axes)[rank - 2]; !rows.identity)
    result = to.Op(OpKind::kMatMul, {to.Constant(matrix(rows)), result});
  if (crops) {
    const float extrapolation = node.attributes.Float("extrapolation_value", 0);
    result = to.Add(result, to.Constant(ResizeBorder(*axes, extrapolation).Cast(x->type)));
  }
  if (result == x) result = to.Op(OpKind::kIdentity, {x});
  return to.Replace(result);
}

// Sizes that are not known: the factors must be whole.
absl::StatusOr<bool> ResizeOfAnySize(Graph& graph, Node& node) {
  const Value* output = node.output();
  if (CheckNode(node).ok() || (output->shape && IsStatic(*output->shape))) return false;
  return ResizeByConvolution(graph, node);
}

}  // namespace

void AddResizeRules(Rules& rules) {
  rules.push_back(std::make_unique<FunctionRule>("resize-by-matrices", std::vector{OpKind::kResize}, ResizeByMatrices));
  rules.push_back(std::make_unique<FunctionRule>("resize-of-any-size", std::vector{OpKind::kResize}, ResizeOfAnySize));
}

}  // namespace slipway::coreml_writer
