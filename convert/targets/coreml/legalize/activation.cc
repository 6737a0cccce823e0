#include <algorithm>

#include "convert/targets/coreml/legalize/builder.h"
#include "convert/targets/coreml/legalize/rules.h"

namespace slipway::coreml_writer {
namespace {

// prelu takes a slope for each channel of 3 to 5 axes; else max(x, 0) + slope · min(x, 0), said with what every rank has.
absl::StatusOr<bool> PReluSlopes(Graph& graph, Node& node) {
  Value* x = node.inputs[0];
  const Tensor* slope = node.constant(1);
  if (slope != nullptr && x->rank() >= 3 && (*x->shape)[1].IsKnown()) {
    const int64_t channels = (*x->shape)[1].value();
    if (slope->rank() == 1 && slope->size() == channels && x->rank() - 1 == 1) return false;
    // Broadcast from the right: [C, 1, …] runs along axis 1; so does a scalar.
    std::vector<int64_t> aligned(static_cast<size_t>(x->rank()) - std::min<size_t>(slope->rank(), x->rank()), 1);
    aligned.insert(aligned.end(), slope->shape().begin(), slope->shape().end());
    bool by_channel = true;
    for (size_t axis = 0; axis < aligned.size(); ++axis)
      by_channel &= aligned[axis] == 1 || (axis == 1 && aligned[axis] == channels);
    if (by_channel && slope->rank() == 1 && slope->size() == channels && channels != 1)
      by_channel = false;  // runs along the last axis
    if (node.attributes.Int("slope_by_channel", 0) != 0) return false;
    if (by_channel) {
      std::vector<float> slopes = slope->ToFloats();
      if (slopes.size() == 1) slopes.assign(static_cast<size_t>(channels), slopes[0]);
      graph.SetInput(&node, 1, graph.AddConstant(node.inputs[1]->name + "_slopes", Tensor::Float32s(slopes)));
      node.attributes.Set("slope_by_channel", int64_t{1});
      return true;
    }
  }
  Builder to(graph, node);
  Value* positive = to.Op(OpKind::kRelu, {x});
  Value* negative = to.Op(OpKind::kMin, {x, to.Number(0)});
  return to.Replace(to.Add(positive, to.Mul(node.inputs[1], negative)));
}

absl::StatusOr<bool> DecomposeActivation(Graph& graph, Node& node) {
  Value* x = node.inputs[0];
  Builder to(graph, node);
  switch (node.kind) {
    case OpKind::kHardSwish: {  // x · clip(x/6 + 0.5, 0, 1)
      Attributes gate;
      gate.Set("alpha", 1.0f / 6);
      gate.Set("beta", 0.5f);
      return to.Replace(to.Mul(x, to.Op(OpKind::kHardSigmoid, {x}, gate)));
    }
    case OpKind::kSwish: {
      const float alpha = node.attributes.Float("alpha", 1);
      Value* scaled = alpha == 1 ? x : to.Mul(x, to.Number(alpha));
      return to.Replace(to.Mul(x, to.Op(OpKind::kSigmoid, {scaled})));
    }
    case OpKind::kMish:
      return to.Replace(to.Mul(x, to.Op(OpKind::kTanh, {to.Op(OpKind::kSoftplus, {x})})));
    case OpKind::kSelu: {  // gamma · elu(x)
      Attributes elu;
      elu.Set("alpha", node.attributes.Float("alpha", 1.67326319217681884765625f));
      return to.Replace(
          to.Mul(to.Op(OpKind::kElu, {x}, elu), to.Number(node.attributes.Float("gamma", 1.05070102214813232421875f))));
    }
    case OpKind::kCelu: {  // elu of x/alpha, times alpha
      const float alpha = node.attributes.Float("alpha", 1);
      Attributes elu;
      elu.Set("alpha", 1.0f);
      return to.Replace(to.Mul(to.Op(OpKind::kElu, {to.Div(x, to.Number(alpha))}, elu), to.Number(alpha)));
    }
    case OpKind::kShrink: {
      const float bias = node.attributes.Float("bias", 0);
      const float lambda = node.attributes.Float("lambd", 0.5f);
      Value* low = to.Op(OpKind::kWhere, {to.Op(OpKind::kLess, {x, to.Number(-lambda)}), to.Add(x, to.Number(bias)),
                                          to.Mul(x, to.Number(0))});
      return to.Replace(
          to.Op(OpKind::kWhere, {to.Op(OpKind::kGreater, {x, to.Number(lambda)}), to.Sub(x, to.Number(bias)), low}));
    }
    default: {  // LogSoftmax: centred at the maximum, so that nothing overflows
      Value* axes = to.Constant(Tensor::Int64s({node.attributes.Int("axis", -1)}));
      Value* centred = to.Sub(x, to.Op(OpKind::kReduceMax, {x, axes}));
      return to.Replace(
          to.Sub(centred, to.Op(OpKind::kLog, {to.Op(OpKind::kReduceSum, {to.Op(OpKind::kExp, {centred}), axes})})));
    }
  }
}

// clip takes floats and constant bounds.
absl::StatusOr<bool> ClipToMinMax(Graph& graph, Node& node) {
  const auto computed = [&](size_t i) { return node.input(i) != nullptr && node.constant(i) == nullptr; };
  if (IsFloat(node.inputs[0]->type) && !computed(1) && !computed(2)) return false;
  Builder to(graph, node);
  Value* result = node.inputs[0];
  if (node.input(1) != nullptr) result = to.Op(OpKind::kMax, {result, node.inputs[1]});
  if (node.input(2) != nullptr) result = to.Op(OpKind::kMin, {result, node.inputs[2]});
  if (result == node.inputs[0]) result = to.Op(OpKind::kIdentity, {result});
  return to.Replace(result);
}

}  // namespace

void AddActivationRules(Rules& rules) {
  rules.push_back(std::make_unique<FunctionRule>("prelu-slopes", std::vector{OpKind::kPRelu}, PReluSlopes));
  rules.push_back(
      std::make_unique<FunctionRule>("decompose-activation",
                                     std::vector{OpKind::kHardSwish, OpKind::kSwish, OpKind::kMish, OpKind::kSelu,
                                                 OpKind::kCelu, OpKind::kShrink, OpKind::kLogSoftmax},
                                     DecomposeActivation));
  rules.push_back(std::make_unique<FunctionRule>("clip-to-min-max", std::vector{OpKind::kClip}, ClipToMinMax));
}

}  // namespace slipway::coreml_writer
