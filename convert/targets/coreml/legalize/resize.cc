#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "convert/passes/upsample.h"
#include "convert/targets/coreml/emit.h"
#include "convert/targets/coreml/legalize/builder.h"
#include "convert/targets/coreml/legalize/rules.h"

namespace slipway::coreml_writer {
namespace {

// Where output cell `at` lies on the input's axis (ONNX, Operators.md: Resize, coordinate_transformation_mode).
double SourceCoordinate(const std::string& mode, int64_t at, int64_t from, int64_t size, double scale) {
  const auto x = static_cast<double>(at);
  if (mode == "asymmetric") return x / scale;
  if (mode == "align_corners") return size == 1 ? 0 : x * static_cast<double>(from - 1) / static_cast<double>(size - 1);
  if (mode == "pytorch_half_pixel" && size == 1) return 0;
  if (mode == "tf_half_pixel_for_nn") return (x + 0.5) / scale;
  if (mode == "half_pixel_symmetric") {
    const double adjustment = static_cast<double>(size) / (scale * static_cast<double>(from));
    const double center = static_cast<double>(from) / 2;
    return center * (1 - adjustment) + (x + 0.5) / scale - 0.5;
  }
  return (x + 0.5) / scale - 0.5;
}

double Nearest(const std::string& mode, double x) {
  if (mode == "floor") return std::floor(x);
  if (mode == "ceil") return std::ceil(x);
  if (mode == "round_prefer_ceil") return std::floor(x + 0.5);
  return std::ceil(x - 0.5);
}

// Keys' cubic convolution kernel with parameter a.
double Cubic(double a, double distance) {
  const double d = std::abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

// How one axis is resized, as a matrix [from, size]: column i holds the weights of output cell i.
Tensor AxisMatrix(const Node& node, int64_t from, int64_t size, std::optional<float> given_scale) {
  const std::string mode = node.attributes.String("mode", "nearest");
  const std::string coordinates = node.attributes.String("coordinate_transformation_mode", "half_pixel");
  const std::string nearest = node.attributes.String("nearest_mode", "round_prefer_floor");
  const double a = node.attributes.Float("cubic_coeff_a", -0.75f);
  const bool exclude = node.attributes.Int("exclude_outside", 0) != 0;
  const double scale = given_scale.value_or(static_cast<float>(size) / static_cast<float>(from));
  std::vector<double> matrix(static_cast<size_t>(from * size), 0.0);
  for (int64_t i = 0; i < size; ++i) {
    const double x = SourceCoordinate(coordinates, i, from, size, scale);
    double total = 0;
    std::vector<std::pair<int64_t, double>> taps;
    const auto base = static_cast<int64_t>(std::floor(x));
    const double fraction = x - static_cast<double>(base);
    if (mode == "nearest") {
      taps = {{static_cast<int64_t>(Nearest(nearest, x)), 1.0}};
    } else if (mode == "linear") {
      taps = {{base, 1 - fraction}, {base + 1, fraction}};
    } else {
      for (int64_t k = -1; k <= 2; ++k) taps.emplace_back(base + k, Cubic(a, static_cast<double>(k) - fraction));
    }
    for (auto& [at, weight] : taps) {
      if (exclude && (at < 0 || at >= from)) weight = 0;
      total += weight;
    }
    for (const auto& [at, weight] : taps)
      matrix[std::clamp<int64_t>(at, 0, from - 1) * size + i] += weight / (exclude ? total : 1.0);
  }
  return Tensor::From<double>({from, size}, matrix).Cast(node.inputs[0]->type);
}

// Interpolation is linear in the data, whatever the mode, and an axis at a time: two products with constant matrices. Left alone: what Core ML
// has itself (CheckNode), a region of interest, antialiasing, sizes that are not known, axes before the last two.
absl::StatusOr<bool> ResizeByMatrices(Graph& graph, Node& node) {
  Value* x = node.inputs[0];
  const std::string coordinates = node.attributes.String("coordinate_transformation_mode", "half_pixel");
  if (CheckNode(node).ok() || x->rank() < 3 || !IsFloat(x->type) || coordinates == "tf_crop_and_resize" ||
      node.attributes.Int("antialias", 0) != 0)
    return false;
  const auto from = StaticShape(*x->shape);
  const auto size = node.outputs[0]->shape ? StaticShape(*node.outputs[0]->shape) : std::nullopt;
  if (!from || !size || (node.input(2) != nullptr && node.constant(2) == nullptr) || node.attributes.Has("axes"))
    return false;
  const auto rank = static_cast<size_t>(x->rank());
  for (size_t axis = 0; axis + 2 < rank; ++axis) {
    if ((*from)[axis] != (*size)[axis]) return false;
  }
  const auto scale = [&](size_t axis) -> std::optional<float> {
    if (node.constant(2) == nullptr || node.constant(2)->size() == 0) return std::nullopt;
    return node.constant(2)->ToFloats().at(axis);
  };
  const auto changes = [&](size_t axis) { return (*from)[axis] != (*size)[axis] || scale(axis).value_or(1) != 1; };
  Builder to(graph, node);
  Value* result = x;
  if (changes(rank - 1)) {
    result = to.Op(OpKind::kMatMul,
                   {result, to.Constant(AxisMatrix(node, (*from)[rank - 1], (*size)[rank - 1], scale(rank - 1)))});
  }
  if (changes(rank - 2)) {
    Value* rows =
        to.Constant(Transpose(AxisMatrix(node, (*from)[rank - 2], (*size)[rank - 2], scale(rank - 2)), {1, 0}));
    result = to.Op(OpKind::kMatMul, {rows, result});
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
