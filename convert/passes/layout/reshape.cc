// Reshapes as splits and merges of neighbouring axes. One passes below a Transpose when every group of axes that it splits or
// merges stands together in the data before the Transpose; a group that stands together in another order keeps a Transpose
// of its own (a channel shuffle), which is the model's.
#include <algorithm>

#include "common/base/error.h"
#include "convert/passes/layout/layout.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"

namespace slipway::layout {
namespace {

struct Segment {
  std::vector<int64_t> in;   // axes of y that are not of size 1, neighbours
  std::vector<int64_t> out;  // axes of the result
  int64_t first = 0;         // least axis of x among `in`
};

// The groups that turn `in` into `out`; nullopt where sizes do not tell.
std::optional<std::vector<Segment>> Segments(const Shape& in, const Shape& out) {
  std::vector<Segment> segments;
  size_t i = 0, j = 0;
  const auto skip_ones = [&] {
    while (i < in.size() && in[i] == Dim(1)) ++i;
  };
  for (skip_ones(); i < in.size() || j < out.size(); skip_ones()) {
    Segment segment;
    if (i == in.size() || (j < out.size() && out[j] == Dim(1))) {
      // A new axis of size 1 goes with the group before it.
      if (j == out.size() || !(out[j] == Dim(1))) return std::nullopt;
      if (segments.empty()) {
        segments.push_back({{}, {static_cast<int64_t>(j++)}, -1});
      } else {
        segments.back().out.push_back(static_cast<int64_t>(j++));
      }
      continue;
    }
    if (j == out.size()) return std::nullopt;
    Dim left = in[i], right = out[j];
    segment.in.push_back(static_cast<int64_t>(i++));
    segment.out.push_back(static_cast<int64_t>(j++));
    while (!(left == right)) {
      if (!left.IsKnown() || !right.IsKnown()) {
        // A merge of known and unknown sizes: the product's form tells.
        if (left.IsKnown() || i == in.size()) return std::nullopt;
        left = left * in[i];
        segment.in.push_back(static_cast<int64_t>(i++));
        continue;
      }
      if (left.value() < right.value()) {
        if (i == in.size()) return std::nullopt;
        left = left * in[i];
        if (!(in[i] == Dim(1))) segment.in.push_back(static_cast<int64_t>(i));
        ++i;
      } else {
        if (j == out.size()) return std::nullopt;
        right = right * out[j];
        segment.out.push_back(static_cast<int64_t>(j++));
      }
    }
    segments.push_back(std::move(segment));
  }
  return segments;
}

absl::StatusOr<bool> SinkReshape(Graph& graph, Node& node, const std::vector<int64_t>& perm) {
  Value* source = node.input(0)->producer->input(0);
  if (!source->shape || !node.output()->shape) return false;
  const Shape &y = *node.input(0)->shape, &result = *node.output()->shape;
  std::optional<std::vector<Segment>> segments = Segments(y, result);
  if (!segments) return false;
  // Every group's axes must be neighbours in x (axes of size 1 do not count).
  std::vector<int64_t> rank_in_x(perm.size(), -1);
  int64_t next = 0;
  for (size_t axis = 0; axis < perm.size(); ++axis) {
    if (!((*source->shape)[axis] == Dim(1))) rank_in_x[axis] = next++;
  }
  for (Segment& segment : *segments) {
    if (segment.in.empty()) continue;
    std::vector<int64_t> places;
    for (int64_t axis : segment.in) places.push_back(rank_in_x[perm[axis]]);
    const auto [low, high] = std::minmax_element(places.begin(), places.end());
    if (*high - *low + 1 != static_cast<int64_t>(places.size())) return false;
    segment.first = *low;
  }
  std::vector<Segment> ordered = *segments;
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const Segment& a, const Segment& b) { return a.first < b.first; });
  std::vector<int64_t> inner, out_perm(result.size());
  Shape target;
  for (size_t axis = 0; axis < perm.size(); ++axis) {
    if ((*source->shape)[axis] == Dim(1)) inner.push_back(static_cast<int64_t>(axis));
  }
  for (const Segment& segment : ordered) {
    for (int64_t axis : segment.in) inner.push_back(perm[axis]);
    for (int64_t axis : segment.out) {
      out_perm[axis] = static_cast<int64_t>(target.size());
      target.push_back(result[axis]);
    }
  }
  if (IsIdentityPerm(out_perm)) {
    // Nothing would move below; worth it only when nothing stays above either.
    std::vector<int64_t> moving;
    for (int64_t axis : inner) {
      if (rank_in_x[axis] >= 0) moving.push_back(rank_in_x[axis]);
    }
    if (!IsIdentityPerm(moving)) return false;
  }
  // Axes of size 1 need no moving before a reshape.
  std::vector<int64_t> moving;
  for (int64_t axis : inner) {
    if (rank_in_x[axis] >= 0) moving.push_back(rank_in_x[axis]);
  }
  const bool stays = IsIdentityPerm(moving);
  Shape before = *source->shape;
  if (!stays) {
    before.clear();
    for (int64_t axis : inner) before.push_back((*source->shape)[axis]);
  }
  const std::optional<std::vector<int64_t>> sizes = ReshapeTarget(before, target);
  if (!sizes) return false;
  if (!stays) {
    ASSIGN_OR_RETURN(source, TransposedBefore(graph, source, inner, &node));
  }
  Value* shape = graph.AddConstant(node.output()->name + "_shape", Tensor::Int64s(*sizes));
  RETURN_IF_ERROR(Rewrite(graph, node, OpKind::kReshape, {source, shape}, {}));
  RETURN_IF_ERROR(TransposeAfter(graph, node, 0, out_perm));
  return true;
}

class TransposeToReshapeRule final : public Rule {
 public:
  std::string_view name() const override { return "transpose-to-reshape"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    const std::vector<int64_t> perm = PermOf(node);
    Value* data = node.input(0);
    if (perm.empty() || IsIdentityPerm(perm) || !data->shape || data->IsConstant()) return false;
    int64_t last = -1;
    for (int64_t axis : perm) {
      if ((*data->shape)[axis] == Dim(1)) continue;
      if (axis < last) return false;
      last = axis;
    }
    // A Transpose that its readers or its producer may still cancel is worth more than a Reshape.
    if (ProducerOf(data, OpKind::kTranspose) != nullptr) return false;
    // With several unknown sizes a Reshape's shape would have to be computed; a Transpose needs none.
    const Shape& moved = *node.output()->shape;
    if (std::ranges::count_if(moved, [](const Dim& size) { return !size.IsKnown(); }) > 1) return false;
    const std::optional<std::vector<int64_t>> target = ReshapeTarget(*data->shape, moved);
    if (!target) return false;
    Value* shape = graph.AddConstant(node.output()->name + "_shape", Tensor::Int64s(*target));
    RETURN_IF_ERROR(Rewrite(graph, node, OpKind::kReshape, {data, shape}, {}));
    return true;
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kTranspose};
};

// Gemm(Reshape(Transpose(x)), W): the features of the reshaped row come in another order, so W's rows do.
class AbsorbTransposeIntoGemmRule final : public Rule {
 public:
  std::string_view name() const override { return "absorb-transpose-into-gemm"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    if (node.attributes.Int("transA", 0) != 0 || node.constant(1) == nullptr || node.constant(1)->rank() != 2)
      return false;
    Node* reshape = node.input(0)->producer;
    if (reshape == nullptr || (reshape->kind != OpKind::kReshape && reshape->kind != OpKind::kFlatten)) return false;
    if (SoleReader(graph, reshape->output()) != &node) return false;
    const Node* transpose = ProducerOf(reshape->input(0), OpKind::kTranspose);
    if (transpose == nullptr) return false;
    const std::vector<int64_t> perm = PermOf(*transpose);
    Value* data = transpose->input(0);
    // The row must be all axes but the first, which stays.
    if (perm.size() < 3 || perm[0] != 0 || reshape->output()->rank() != 2 || !data->shape) return false;
    const std::optional<std::vector<int64_t>> features =
        StaticShape(Shape(reshape->input(0)->shape->begin() + 1, reshape->input(0)->shape->end()));
    const bool transposed = node.attributes.Int("transB", 0) != 0;
    const Tensor& weight = *node.constant(1);
    const int64_t rows = weight.shape()[transposed ? 1 : 0];
    if (!features || ElementCount(*features) != rows || !((*reshape->output()->shape)[1] == Dim(rows))) return false;
    const std::optional<std::vector<int64_t>> target = ReshapeTarget(*data->shape, *reshape->output()->shape);
    if (!target) return false;
    // Rows as y's axes, then in x's order.
    std::vector<int64_t> shape = *features, order;
    for (int64_t axis : Inverse(perm)) {
      if (axis != 0) order.push_back(axis - (transposed ? 0 : 1));
    }
    if (transposed) {
      shape.insert(shape.begin(), weight.shape()[0]);
      order.insert(order.begin(), 0);
    } else {
      order.push_back(static_cast<int64_t>(shape.size()));
      shape.push_back(weight.shape()[1]);
    }
    const Tensor moved = Transpose(weight.Reshaped(shape), order).Reshaped(weight.shape());
    Value* target_value = graph.AddConstant(reshape->output()->name + "_shape", Tensor::Int64s(*target));
    RETURN_IF_ERROR(Rewrite(graph, *reshape, OpKind::kReshape, {data, target_value}, {}));
    ClearOrigin(reshape->output());
    graph.SetInput(&node, 1, graph.AddConstant(node.input(1)->name + "_reordered", moved));
    return true;
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kGemm};
};

constexpr SinkEntry kEntries[] = {{OpKind::kReshape, SinkReshape},
                                  {OpKind::kFlatten, SinkReshape},
                                  {OpKind::kSqueeze, SinkReshape},
                                  {OpKind::kUnsqueeze, SinkReshape}};

}  // namespace

std::span<const SinkEntry> ReshapeSinks() { return kEntries; }
std::unique_ptr<Rule> TransposeToReshape() { return std::make_unique<TransposeToReshapeRule>(); }
std::unique_ptr<Rule> AbsorbTransposeIntoGemm() { return std::make_unique<AbsorbTransposeIntoGemmRule>(); }

}  // namespace slipway::layout
