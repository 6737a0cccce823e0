#include "convert/targets/coreml/legalize/builder.h"
#include "convert/targets/coreml/legalize/rules.h"

namespace slipway::coreml_writer {
namespace {

bool AllConstant(const Node& node) {
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    if (node.inputs[i] != nullptr && node.constant(i) == nullptr) return false;
  }
  return true;
}

// [C] → [C, 1, 1 …] so that it runs along axis 1 of a value of `rank` axes.
Value* AlongChannels(Builder& to, Value* parameter, int64_t rank) {
  std::vector<int64_t> sizes(static_cast<size_t>(rank) - 1, 1);
  sizes[0] = -1;
  return to.Reshape(parameter, sizes);
}

// (x − mean) / √(variance + epsilon) · scale + bias
absl::StatusOr<bool> DecomposeBatchNorm(Graph& graph, Node& node) {
  const int64_t rank = node.inputs[0]->rank();
  if (rank < 2 || (rank >= 3 && AllConstant(node))) return false;
  Builder to(graph, node);
  const auto parameter = [&](size_t i) { return AlongChannels(to, node.inputs[i], rank); };
  Value* deviation = to.Op(OpKind::kSqrt, {to.Add(parameter(4), to.Number(node.attributes.Float("epsilon", 1e-5f)))});
  Value* normal = to.Div(to.Sub(node.inputs[0], parameter(3)), deviation);
  return to.Replace(to.Add(to.Mul(normal, parameter(1)), parameter(2)));
}

Value* Normalised(Builder& to, Value* x, const std::vector<int64_t>& axes, float epsilon) {
  Value* centred = to.Sub(x, to.Mean(x, axes));
  Value* variance = to.Mean(to.Mul(centred, centred), axes);
  return to.Div(centred, to.Op(OpKind::kSqrt, {to.Add(variance, to.Number(epsilon))}));
}

// Over the spatial axes of each channel, or of each group of channels: [N, C, …] → [N, groups, -1].
absl::StatusOr<bool> DecomposeInstanceNorm(Graph& graph, Node& node) {
  Value* x = node.inputs[0];
  const bool instance = node.kind == OpKind::kInstanceNormalization;
  if (x->rank() < 3 || (instance && x->rank() <= 4 && AllConstant(node))) return false;
  Builder to(graph, node);
  const float epsilon = node.attributes.Float("epsilon", 1e-5f);
  Value* normal = nullptr;
  if (instance) {
    std::vector<int64_t> axes;
    for (int64_t axis = 2; axis < x->rank(); ++axis) axes.push_back(axis);
    normal = Normalised(to, x, axes, epsilon);
  } else {
    Value* grouped = to.Reshape(x, {0, node.attributes.Int("num_groups", 1), -1});
    normal = to.Op(OpKind::kReshape, {Normalised(to, grouped, {2}, epsilon), to.Op(OpKind::kShape, {x})});
  }
  return to.Replace(to.Add(to.Mul(normal, AlongChannels(to, node.inputs[1], x->rank())),
                           AlongChannels(to, node.inputs[2], x->rank())));
}

// layer_norm takes constants of exactly the normalised axes. RMS: x / √(mean(x²) + epsilon) · scale.
absl::StatusOr<bool> DecomposeLayerNorm(Graph& graph, Node& node) {
  Value* x = node.inputs[0];
  if (x->rank() < 0) return false;
  const int64_t first = node.attributes.Int("axis", -1) < 0 ? node.attributes.Int("axis", -1) + x->rank()
                                                            : node.attributes.Int("axis", -1);
  std::vector<int64_t> axes;
  for (int64_t axis = first; axis < x->rank(); ++axis) axes.push_back(axis);
  const float epsilon = node.attributes.Float("epsilon", 1e-5f);
  Builder to(graph, node);
  if (node.kind == OpKind::kRMSNormalization) {
    Value* root = to.Op(OpKind::kSqrt, {to.Add(to.Mean(to.Mul(x, x), axes), to.Number(epsilon))});
    return to.Replace(to.Mul(to.Div(x, root), node.inputs[1]));
  }
  bool native = AllConstant(node);
  const Shape over(x->shape->begin() + first, x->shape->end());
  for (size_t i : {1, 2}) native &= node.constant(i) == nullptr || ToShape(node.constant(i)->shape()) == over;
  if (native) return false;
  Value* result = to.Mul(Normalised(to, x, axes, epsilon), node.inputs[1]);
  return to.Replace(node.input(2) == nullptr ? result : to.Add(result, node.inputs[2]));
}

// Lp: x / norm along an axis. Mean-variance: ONNX's function body, epsilon 1e-9 beside the deviation.
absl::StatusOr<bool> DecomposeNorm(Graph& graph, Node& node) {
  Value* x = node.inputs[0];
  Builder to(graph, node);
  if (node.kind == OpKind::kLpNormalization) {
    Value* axes = to.Constant(Tensor::Int64s({node.attributes.Int("axis", -1)}));
    const OpKind norm = node.attributes.Int("p", 2) == 1 ? OpKind::kReduceL1 : OpKind::kReduceL2;
    return to.Replace(to.Div(x, to.Op(norm, {x, axes})));
  }
  const std::vector<int64_t> axes = node.attributes.Ints("axes", {0, 2, 3});
  Value* centred = to.Sub(x, to.Mean(x, axes));
  Value* deviation = to.Op(OpKind::kSqrt, {to.Mean(to.Mul(centred, centred), axes)});
  return to.Replace(to.Div(centred, to.Add(deviation, to.Number(1e-9))));
}

}  // namespace

void AddNormalizationRules(Rules& rules) {
  rules.push_back(std::make_unique<FunctionRule>("decompose-batch-norm", std::vector{OpKind::kBatchNormalization},
                                                 DecomposeBatchNorm));
  rules.push_back(std::make_unique<FunctionRule>(
      "decompose-instance-norm", std::vector{OpKind::kInstanceNormalization, OpKind::kGroupNormalization},
      DecomposeInstanceNorm));
  rules.push_back(std::make_unique<FunctionRule>(
      "decompose-layer-norm", std::vector{OpKind::kLayerNormalization, OpKind::kRMSNormalization}, DecomposeLayerNorm));
  rules.push_back(std::make_unique<FunctionRule>(
      "decompose-norm", std::vector{OpKind::kLpNormalization, OpKind::kMeanVarianceNormalization}, DecomposeNorm));
}

}  // namespace slipway::coreml_writer
