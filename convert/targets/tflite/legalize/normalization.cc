#include <algorithm>

#include "common/base/error.h"
#include "convert/passes/match.h"
#include "convert/passes/table.h"
#include "convert/targets/tflite/legalize/legalize.h"

namespace slipway::tflite {
namespace {

using enum OpKind;

std::vector<int64_t> AxesFrom(int64_t first, int64_t rank) {
  std::vector<int64_t> axes;
  for (int64_t i = first < 0 ? first + rank : first; i < rank; ++i) axes.push_back(i);
  return axes;
}

// (x - mean) / √(var + epsilon) over axes.
Value* Normalized(Expansion& e, Value* x, const std::vector<int64_t>& axes, double epsilon) {
  Value* centred = e.Op(kSub, {x, e.Op(kReduceMean, {x, e.Axes(axes)})});
  Value* variance = e.Op(kReduceMean, {e.Op(kMul, {centred, centred}), e.Axes(axes)});
  return e.Op(kDiv, {centred, e.Op(kSqrt, {e.Op(kAdd, {variance, e.Number(epsilon)})})});
}

// A number a channel, shaped to broadcast along axis 1 of data of rank `rank`.
Value* PerChannel(Expansion& e, Value* numbers, int64_t rank) {
  std::vector<int64_t> shape(static_cast<size_t>(rank) - 1, 1);
  shape[0] = -1;
  return e.Op(kReshape, {numbers, e.Axes(shape)});
}

absl::StatusOr<bool> LayerNorm(Graph& graph, Node& node) {
  Value* x = node.input(0);
  if (x->rank() < 1) return false;
  Expansion e(graph, node);
  Value* normal =
      Normalized(e, x, AxesFrom(node.attributes.Int("axis", -1), x->rank()), node.attributes.Float("epsilon", 1e-5f));
  if (node.input(2) == nullptr) return e.Become(kMul, {normal, node.input(1)});
  return e.Become(kAdd, {e.Op(kMul, {normal, node.input(1)}), node.input(2)});
}

absl::StatusOr<bool> RmsNorm(Graph& graph, Node& node) {
  Value* x = node.input(0);
  if (x->rank() < 1) return false;
  Expansion e(graph, node);
  const std::vector<int64_t> axes = AxesFrom(node.attributes.Int("axis", -1), x->rank());
  Value* power = e.Op(kReduceMean, {e.Op(kMul, {x, x}), e.Axes(axes)});
  Value* root = e.Op(kSqrt, {e.Op(kAdd, {power, e.Number(node.attributes.Float("epsilon", 1e-5f))})});
  return e.Become(kMul, {e.Op(kDiv, {x, root}), node.input(1)});
}

absl::StatusOr<bool> InstanceNorm(Graph& graph, Node& node) {
  Value* x = node.input(0);
  if (x->rank() < 3) return false;
  Expansion e(graph, node);
  Value* normal = Normalized(e, x, AxesFrom(2, x->rank()), node.attributes.Float("epsilon", 1e-5f));
  Value *scale = PerChannel(e, node.input(1), x->rank()), *bias = PerChannel(e, node.input(2), x->rank());
  return e.Become(kAdd, {e.Op(kMul, {normal, scale}), bias});
}

// The mean over a group's channels, given each channel's: [N, C, 1, …] both ways.
Value* MeanOfGroups(Expansion& e, Value* of_channels, int64_t groups, int64_t channels) {
  Value* grouped = e.Op(kReshape, {of_channels, e.Axes({0, groups, channels / groups, 1})});
  const std::vector<float> ones(static_cast<size_t>(channels / groups), 1.0f);
  Value* each = e.Constant(Tensor::From<float>({1, 1, channels / groups, 1}, ones));
  Value* spread = e.Op(kMul, {e.Op(kReduceMean, {grouped, e.Axes({2})}), each});
  std::vector<int64_t> back(static_cast<size_t>(of_channels->rank()), 1);
  back[0] = 0;
  back[1] = channels;
  return e.Op(kReshape, {spread, e.Axes(back)});
}

// Means of channels, then of groups of these: the data itself is never reshaped, so it keeps its layout.
absl::StatusOr<bool> GroupNorm(Graph& graph, Node& node) {
  Value* x = node.input(0);
  const int64_t groups = node.attributes.Int("num_groups", 0);
  if (x->rank() < 3 || groups < 1 || !(*x->shape)[1].IsKnown()) return false;
  const int64_t channels = (*x->shape)[1].value();
  if (channels % groups != 0 || !IsTableSize({channels})) return false;
  Expansion e(graph, node);
  std::vector<int64_t> spatial;
  for (int64_t axis = 2; axis < x->rank(); ++axis) spatial.push_back(axis);
  const auto mean = [&](Value* of) {
    Value* per_channel = e.Op(kReduceMean, {of, e.Axes(spatial)});
    return per_channel == nullptr ? nullptr : MeanOfGroups(e, per_channel, groups, channels);
  };
  Value* centred = e.Op(kSub, {x, mean(x)});
  Value* variance = mean(e.Op(kMul, {centred, centred}));
  Value* deviation = e.Op(kSqrt, {e.Op(kAdd, {variance, e.Number(node.attributes.Float("epsilon", 1e-5f))})});
  Value* normal = e.Op(kDiv, {centred, deviation});
  std::vector<Value*> parameters;
  for (size_t i = 1; i <= 2; ++i) {
    Value* numbers = node.input(i);
    // Opset 18 gave a number a group.
    if (numbers->constant && numbers->constant->size() == groups && groups != channels) {
      std::vector<float> repeated;
      for (float number : numbers->constant->ToFloats())
        repeated.insert(repeated.end(), static_cast<size_t>(channels / groups), number);
      numbers = e.Constant(Tensor::Float32s(repeated));
    }
    parameters.push_back(PerChannel(e, numbers, x->rank()));
  }
  return e.Become(kAdd, {e.Op(kMul, {normal, parameters[0]}), parameters[1]});
}

bool AllAre(const Tensor* tensor, double number) {
  return tensor != nullptr && std::ranges::all_of(tensor->ToDoubles(), [=](double value) { return value == number; });
}

// Reshape [N, groups, …] → InstanceNormalization → Reshape back, as exporters write group normalisation below opset 21.
absl::StatusOr<bool> RecogniseGroupNorm(Graph& graph, Node& normal) {
  Node* last = SoleReader(graph, normal.output());
  const Node* reshape = ProducerOf(normal.input(0), kReshape);
  if (last == nullptr || last->kind != kReshape || reshape == nullptr || !AllAre(normal.constant(1), 1) ||
      !AllAre(normal.constant(2), 0))
    return false;
  Value* x = reshape->input(0);
  const Value* grouped = reshape->output();
  if (x->rank() < 3 || grouped->rank() < 3 || !last->output()->shape || !(*x->shape == *last->output()->shape))
    return false;
  const Dim &channels = (*x->shape)[1], &groups = (*grouped->shape)[1];
  if (!(x->shape->front() == grouped->shape->front()) || !channels.IsKnown() || !groups.IsKnown() ||
      groups.value() < 1 || channels.value() % groups.value() != 0)
    return false;
  Expansion e(graph, *last);
  const auto count = static_cast<size_t>(channels.value());
  Attributes attributes = With("num_groups", groups.value());
  attributes.Set("epsilon", normal.attributes.Float("epsilon", 1e-5f));
  return e.Become(kGroupNormalization,
                  {x, e.Constant(Tensor::Float32s(std::vector<float>(count, 1.0f))),
                   e.Constant(Tensor::Float32s(std::vector<float>(count, 0.0f)))},
                  attributes);
}

absl::StatusOr<bool> LpNorm(Graph& graph, Node& node) {
  Expansion e(graph, node);
  Value* x = node.input(0);
  Value* axes = e.Axes({node.attributes.Int("axis", -1)});
  Value* norm = node.attributes.Int("p", 2) == 1 ? e.Op(kReduceSum, {e.Op(kAbs, {x}), axes})
                                                 : e.Op(kSqrt, {e.Op(kReduceSum, {e.Op(kMul, {x, x}), axes})});
  return e.Become(kDiv, {x, norm});
}

absl::StatusOr<bool> MeanVariance(Graph& graph, Node& node) {
  Expansion e(graph, node);
  Value* x = node.input(0);
  const std::vector<int64_t> axes = node.attributes.Ints("axes", {0, 2, 3});
  Value* centred = e.Op(kSub, {x, e.Op(kReduceMean, {x, e.Axes(axes)})});
  Value* deviation = e.Op(kSqrt, {e.Op(kReduceMean, {e.Op(kMul, {centred, centred}), e.Axes(axes)})});
  return e.Become(kDiv, {centred, e.Op(kAdd, {deviation, e.Number(1e-9)})});
}

// x / (bias + alpha / size · Σ x² over `size` neighbouring channels)^beta; the sum is one of shifted slices.
absl::StatusOr<bool> LocalResponse(Graph& graph, Node& node) {
  Value* x = node.input(0);
  const int64_t size = node.attributes.Int("size", 1);
  if (x->rank() < 2 || !(*x->shape)[1].IsKnown() || size < 1 || size > 64) return false;
  const int64_t channels = (*x->shape)[1].value(), rank = x->rank();
  Expansion e(graph, node);
  std::vector<int64_t> pads(static_cast<size_t>(2 * rank), 0);
  pads[1] = (size - 1) / 2;
  pads[rank + 1] = size - 1 - pads[1];
  Value* squares = e.Op(kPad, {e.Op(kMul, {x, x}), e.Axes(pads)});
  Value* sum = nullptr;
  for (int64_t i = 0; i < size; ++i) {
    Value* slice = e.Op(kSlice, {squares, e.Axes({i}), e.Axes({i + channels}), e.Axes({1})});
    sum = sum == nullptr ? slice : e.Op(kAdd, {sum, slice});
  }
  Value* scaled = e.Op(kMul, {sum, e.Number(node.attributes.Float("alpha", 1e-4f) / static_cast<double>(size))});
  Value* base = e.Op(kAdd, {scaled, e.Number(node.attributes.Float("bias", 1))});
  return e.Become(kDiv, {x, e.Op(kPow, {base, e.Number(node.attributes.Float("beta", 0.75f))})});
}

// What fuse-batch-norm left: parameters made at run time.
absl::StatusOr<bool> BatchNorm(Graph& graph, Node& node) {
  Value* x = node.input(0);
  if (x->rank() < 2) return false;
  Expansion e(graph, node);
  Value* deviation = e.Op(kSqrt, {e.Op(kAdd, {node.input(4), e.Number(node.attributes.Float("epsilon", 1e-5f))})});
  Value* scale = e.Op(kDiv, {node.input(1), deviation});
  Value* shift = e.Op(kSub, {node.input(2), e.Op(kMul, {node.input(3), scale})});
  return e.Become(kAdd, {e.Op(kMul, {x, PerChannel(e, scale, x->rank())}), PerChannel(e, shift, x->rank())});
}

}  // namespace

void AddNormalizationRules(Rules& rules) {
  rules.push_back(MakeRule("layer-norm-to-means", {kLayerNormalization}, LayerNorm));
  rules.push_back(MakeRule("rms-norm-to-means", {kRMSNormalization}, RmsNorm));
  rules.push_back(MakeRule("recognise-group-norm", {kInstanceNormalization}, RecogniseGroupNorm));
  rules.push_back(MakeRule("instance-norm-to-means", {kInstanceNormalization}, InstanceNorm));
  rules.push_back(MakeRule("group-norm-to-means", {kGroupNormalization}, GroupNorm));
  rules.push_back(MakeRule("lp-norm-to-div", {kLpNormalization}, LpNorm));
  rules.push_back(MakeRule("mean-variance-to-means", {kMeanVarianceNormalization}, MeanVariance));
  rules.push_back(MakeRule("local-response-to-slices", {kLRN}, LocalResponse));
  rules.push_back(MakeRule("batch-norm-to-arithmetic", {kBatchNormalization}, BatchNorm));
}

}  // namespace slipway::tflite
