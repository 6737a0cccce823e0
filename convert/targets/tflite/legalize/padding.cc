#include <algorithm>
#include <limits>

#include "common/base/error.h"
#include "convert/ir/spatial.h"
#include "convert/passes/match.h"
#include "convert/targets/tflite/legalize/legalize.h"
#include "convert/targets/tflite/ops/ops.h"

namespace slipway::tflite {
namespace {

using enum OpKind;

std::vector<int64_t> PadsOf(const std::vector<int64_t>& begin, const std::vector<int64_t>& end) {
  std::vector<int64_t> pads = {0};
  pads.insert(pads.end(), begin.begin(), begin.end());
  pads.insert(pads.end(), {0, 0});
  pads.insert(pads.end(), end.begin(), end.end());
  pads.push_back(0);
  return pads;
}

Attributes WithoutPads(const Node& node) {
  Attributes attributes = node.attributes;
  for (const char* name : {"pads", "auto_pad", "ceil_mode", "count_include_pad"}) attributes.Erase(name);
  return attributes;
}

absl::StatusOr<bool> ExplicitConvPadding(Graph& graph, Node& node) {
  if (PaddingOf(node) || node.input(0)->rank() < 4) return false;
  const absl::StatusOr<SpatialParams> p = ReadSpatialParams(node);
  if (!p.ok() || !p->channels_last) return false;  // Check tells why
  Expansion e(graph, node);
  std::vector<Value*> inputs = node.inputs;
  inputs[0] = e.Op(kPad, {inputs[0], e.Axes(PadsOf(p->pads_begin, p->pads_end))});
  return e.Become(kConv, inputs, WithoutPads(node));
}

// End padding with which rounding down gives what rounding up gave, for any size (PooledSize in ir/spatial.cc). Where the size
// is known, only what the last window reaches.
std::vector<int64_t> EndFor(const Node& node, const SpatialParams& p) {
  std::vector<int64_t> end = p.pads_end;
  for (size_t i = 0; p.ceil_mode && i < end.size(); ++i) {
    const int64_t reach = (p.kernel[i] - 1) * p.dilations[i] + 1;
    end[i] = std::min(p.pads_end[i] + p.strides[i] - 1, reach - 1);
    const Dim &in = (*node.input(0)->shape)[i + 1], &out = (*node.output()->shape)[i + 1];
    if (!in.IsKnown() || !out.IsKnown()) continue;
    end[i] = std::max<int64_t>(0, (out.value() - 1) * p.strides[i] + reach - in.value() - p.pads_begin[i]);
  }
  return end;
}

absl::StatusOr<bool> ExplicitMaxPoolPadding(Graph& graph, Node& node) {
  if (PaddingOf(node) || node.input(0)->rank() != 4 || node.input(0)->type != DataType::kFloat32) return false;
  const absl::StatusOr<SpatialParams> p = ReadSpatialParams(node);
  if (!p.ok() || !p->channels_last) return false;
  Expansion e(graph, node);
  Value* lowest = e.Number(std::numeric_limits<float>::lowest());
  Value* padded = e.Op(kPad, {node.input(0), e.Axes(PadsOf(p->pads_begin, EndFor(node, *p))), lowest});
  return e.Become(kMaxPool, {padded}, WithoutPads(node));
}

// How many of a window's elements count, for each output position of one axis.
std::vector<double> Counts(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t begin, int64_t end,
                           bool count_pads) {
  std::vector<double> counts;
  for (int64_t i = 0; i < out; ++i) {
    const int64_t first = i * stride - begin, low = count_pads ? -begin : 0, high = count_pads ? in + end : in;
    counts.push_back(static_cast<double>(std::min(first + kernel, high) - std::max(first, low)));
  }
  return counts;
}

// Zeros are padded and averaged with the rest; a factor a position sets the divisor right.
absl::StatusOr<bool> ExplicitAveragePoolPadding(Graph& graph, Node& node) {
  const std::optional<schema::Padding> padding = PaddingOf(node);
  const bool counts_pads = node.attributes.Int("count_include_pad", 0) != 0;
  if (padding && (*padding == schema::Padding::VALID || !counts_pads)) return false;
  const absl::StatusOr<SpatialParams> p = ReadSpatialParams(node);
  if (!p.ok() || !p->channels_last || p->rank != 2 || node.input(0)->type != DataType::kFloat32) return false;
  Expansion e(graph, node);
  const std::vector<int64_t> end = EndFor(node, *p);
  Value* x = node.input(0);
  const auto averaged = [&](Value* data) { return e.Op(kAveragePool, {data}, WithoutPads(node)); };
  if (counts_pads && end == p->pads_end) {
    return e.Become(kAveragePool, {e.Op(kPad, {x, e.Axes(PadsOf(p->pads_begin, end))})}, WithoutPads(node));
  }
  Value* average = averaged(e.Op(kPad, {x, e.Axes(PadsOf(p->pads_begin, end))}));
  const Shape &in = *x->shape, &out = *node.output()->shape;
  if (in[1].IsKnown() && in[2].IsKnown() && out[1].IsKnown() && out[2].IsKnown()) {
    const std::vector<double> rows = Counts(in[1].value(), out[1].value(), p->kernel[0], p->strides[0],
                                            p->pads_begin[0], p->pads_end[0], counts_pads);
    const std::vector<double> columns = Counts(in[2].value(), out[2].value(), p->kernel[1], p->strides[1],
                                               p->pads_begin[1], p->pads_end[1], counts_pads);
    std::vector<float> factors;
    for (double row : rows) {
      for (double column : columns)
        factors.push_back(static_cast<float>(static_cast<double>(p->kernel[0] * p->kernel[1]) / (row * column)));
    }
    return e.Become(kMul, {average, e.Constant(Tensor::From<float>({1, out[1].value(), out[2].value(), 1}, factors))});
  }
  // Unknown sizes: ones are averaged alike. They are made of one channel of the data: 0 · x + 1.
  Value* channel = e.Op(kSlice, {x, e.Axes({0}), e.Axes({1}), e.Axes({3})});
  Value* ones = e.Op(kAdd, {e.Op(kMul, {channel, e.Number(0)}), e.Number(1)});
  if (counts_pads) {
    std::vector<int64_t> counted = end, rest = end;
    for (size_t i = 0; i < rest.size(); ++i) {
      counted[i] = std::min(end[i], p->pads_end[i]);
      rest[i] -= counted[i];
    }
    ones = e.Op(kPad, {ones, e.Axes(PadsOf(p->pads_begin, counted)), e.Number(1)});
    ones = e.Op(kPad, {ones, e.Axes(PadsOf({0, 0}, rest))});
  } else {
    ones = e.Op(kPad, {ones, e.Axes(PadsOf(p->pads_begin, end))});
  }
  return e.Become(kDiv, {average, averaged(ones)});
}

}  // namespace

void AddPaddingRules(Rules& rules) {
  rules.push_back(MakeRule("explicit-padding", {kConv}, ExplicitConvPadding));
  rules.push_back(MakeRule("explicit-max-pool-padding", {kMaxPool}, ExplicitMaxPoolPadding));
  rules.push_back(MakeRule("explicit-average-pool-padding", {kAveragePool}, ExplicitAveragePoolPadding));
}

}  // namespace slipway::tflite
