#include <algorithm>

#include "common/base/error.h"
#include "convert/ir/resample.h"
#include "convert/targets/tflite/legalize/legalize.h"
#include "convert/targets/tflite/ops/ops.h"

namespace slipway::tflite {
namespace {

using enum OpKind;

// [from, to]: the factor on the right of a product.
Tensor Matrix(const ResampledAxis& axis) {
  return Transpose(Tensor::From(std::vector<int64_t>{axis.to, axis.from}, axis.weights), {1, 0});
}

// Modes and coordinates that no operator has: nearest is a Gather an axis, interpolation a product with a constant matrix an axis.
absl::StatusOr<bool> ResizeByAxes(Graph& graph, Node& node) {
  if (node.attributes.String("data_layout", "NCHW") == "NHWC" || HasResizeOperator(node)) return false;
  const absl::StatusOr<std::vector<ResampledAxis>> axes = ReadResampling(node);
  if (!axes.ok()) return false;  // Check tells why
  const bool is_float = node.input(0)->type == DataType::kFloat32;
  const bool crops =
      std::ranges::any_of(*axes, [](const ResampledAxis& axis) { return std::ranges::count(axis.outside, true) > 0; });
  const bool nearest = node.attributes.String("mode", "nearest") == "nearest" && !crops;
  if (!is_float && !nearest) return false;
  Expansion e(graph, node);
  Value* x = node.input(0);
  const auto rank = static_cast<int64_t>(axes->size());
  for (int64_t i = 0; i < rank; ++i) {
    const ResampledAxis& axis = (*axes)[static_cast<size_t>(i)];
    if (axis.identity) continue;
    if (nearest) {
      x = e.Op(kGather, {x, e.Axes(axis.nearest)}, With("axis", i));
      continue;
    }
    std::vector<int64_t> perm;
    for (int64_t k = 0; k < rank; ++k) perm.push_back(k);
    std::swap(perm[static_cast<size_t>(i)], perm.back());
    const bool last = i + 1 == rank;
    if (!last) x = e.Op(kTranspose, {x}, With("perm", perm));
    x = e.Op(kMatMul, {x, e.Constant(Matrix(axis))});
    if (!last) x = e.Op(kTranspose, {x}, With("perm", perm));
  }
  if (!crops) return e.Become(kIdentity, {x});
  return e.Become(kAdd, {x, e.Constant(ResizeBorder(*axes, node.attributes.Float("extrapolation_value", 0)))});
}

}  // namespace

void AddResizeRules(Rules& rules) { rules.push_back(MakeRule("resize-by-axes", {kResize}, ResizeByAxes)); }

}  // namespace slipway::tflite
