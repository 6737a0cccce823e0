#include <algorithm>

#include "convert/ir/resample.h"
#include "convert/passes/resize_by_gather.h"
#include "convert/passes/upsample.h"
#include "convert/targets/coreml/emit.h"
#include "convert/targets/coreml/legalize/builder.h"
#include "convert/targets/coreml/legalize/rules.h"

namespace slipway::coreml_writer {
namespace {

// Interpolation is linear in the data, whatever the mode, and an axis at a time: products with constant matrices. Left alone: what Core ML has
// itself (CheckNode), antialiasing, sizes that are not known.
absl::StatusOr<bool> ResizeByMatrices(Graph& graph, Node& node) {
  Value* x = node.inputs[0];
  if (CheckNode(node).ok() || x->rank() < 3 || !IsFloat(x->type)) return false;
  const absl::StatusOr<std::vector<ResampledAxis>> axes = ReadResampling(node);
  if (!axes.ok()) return false;
  const size_t rank = axes->size();
  bool crops = false;
  for (size_t i = 0; i < rank; ++i) {
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
  // Axes before the last two change places with the last.
  for (size_t i = 0; i + 2 < rank; ++i) {
    if ((*axes)[i].identity) continue;
    std::vector<int64_t> perm;
    for (size_t k = 0; k < rank; ++k) perm.push_back(static_cast<int64_t>(k));
    std::swap(perm[i], perm.back());
    Attributes swap;
    swap.Set("perm", perm);
    result = to.Op(OpKind::kTranspose, {result}, swap);
    result = to.Op(OpKind::kMatMul, {result, to.Constant(Transpose(matrix((*axes)[i]), {1, 0}))});
    result = to.Op(OpKind::kTranspose, {result}, swap);
  }
  if (crops) {
    const float extrapolation = node.attributes.Float("extrapolation_value", 0);
    result = to.Add(result, to.Constant(ResizeBorder(*axes, extrapolation).Cast(x->type)));
  }
  if (result == x) result = to.Op(OpKind::kIdentity, {x});
  return to.Replace(result);
}

// Sizes that are not known: whole factors are a convolution, others gathers.
absl::StatusOr<bool> ResizeOfAnySize(Graph& graph, Node& node) {
  if (CheckNode(node).ok()) return false;
  ASSIGN_OR_RETURN(const bool convolved, ResizeByConvolution(graph, node));
  return convolved ? true : ResizeByGather(graph, node);
}

}  // namespace

void AddResizeRules(Rules& rules) {
  rules.push_back(std::make_unique<FunctionRule>("resize-by-matrices", std::vector{OpKind::kResize}, ResizeByMatrices));
  rules.push_back(std::make_unique<FunctionRule>("resize-of-any-size", std::vector{OpKind::kResize}, ResizeOfAnySize));
}

}  // namespace slipway::coreml_writer
