#include <algorithm>
#include <limits>

#include "common/base/error.h"
#include "convert/targets/coreml/emit.h"

namespace slipway::coreml_writer {
namespace {

void Concat(const Node& node, Program& out) {
  std::vector<std::string> values;
  for (size_t i = 0; i < node.inputs.size(); ++i) values.push_back(out.Operand(node, i));
  out.Emit(node, "concat",
           {{"values", std::move(values)},
            {"axis", {out.Int(node.attributes.Int("axis", 0))}},
            {"interleave", {out.Bool(false)}}});
}

int64_t AxisOf(const Node& node) {
  const int64_t axis = node.attributes.Int("axis", 0);
  return axis < 0 ? axis + node.input(0)->rank() : axis;
}

absl::Status CheckSplit(const Node& node) {
  for (const Value* output : node.outputs) {
    if (output == nullptr || !(*output->shape)[AxisOf(node)].IsKnown()) {
      return Unsupported(node, "the sizes of its parts are not known", "give the input's size with --shape");
    }
  }
  return absl::OkStatus();
}

void Split(const Node& node, Program& out) {
  std::vector<int64_t> sizes;
  for (const Value* output : node.outputs) sizes.push_back((*output->shape)[AxisOf(node)].value());
  out.Emit(node, "split",
           {{"x", {out.Operand(node, 0)}}, {"split_sizes", {out.Ints(sizes)}}, {"axis", {out.Int(AxisOf(node))}}});
}

struct Bounds {
  std::vector<int64_t> begin, end, stride;
  std::vector<bool> begin_mask, end_mask;
};

// Per axis: begin and end inside the axis where its size is known, masks where they mean "from its edge".
absl::StatusOr<Bounds> ReadBounds(const Node& node) {
  if (node.constant(1) == nullptr || node.constant(2) == nullptr ||
      (node.input(3) != nullptr && node.constant(3) == nullptr) ||
      (node.input(4) != nullptr && node.constant(4) == nullptr)) {
    return Unimplemented("its bounds are computed");
  }
  const auto rank = static_cast<size_t>(node.input(0)->rank());
  Bounds bounds{std::vector<int64_t>(rank, 0), std::vector<int64_t>(rank, 0), std::vector<int64_t>(rank, 1),
                std::vector<bool>(rank, true), std::vector<bool>(rank, true)};
  const std::vector<int64_t> starts = node.constant(1)->ToInt64s();
  const std::vector<int64_t> ends = node.constant(2)->ToInt64s();
  std::vector<int64_t> axes, steps(starts.size(), 1);
  for (size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  if (node.constant(3) != nullptr) axes = node.constant(3)->ToInt64s();
  if (node.constant(4) != nullptr) steps = node.constant(4)->ToInt64s();
  for (size_t i = 0; i < starts.size(); ++i) {
    const int64_t axis = axes[i] < 0 ? axes[i] + static_cast<int64_t>(rank) : axes[i];
    const Dim& size = (*node.input(0)->shape)[axis];
    int64_t begin = starts[i];
    int64_t end = ends[i];
    const bool forward = steps[i] > 0;
    bounds.stride[axis] = steps[i];
    if (size.IsKnown()) {
      const int64_t n = size.value();
      begin = std::clamp<int64_t>(begin < 0 ? begin + n : begin, 0, forward ? n : n - 1);
      const bool past_start = end < 0 && end + n < 0;
      end = forward ? std::clamp<int64_t>(end < 0 ? end + n : end, 0, n)
                    : std::clamp<int64_t>(end < 0 ? end + n : end, -1, n - 1);
      bounds.end_mask[axis] = forward ? end == n : past_start || end < 0;
      bounds.begin_mask[axis] = forward ? begin == 0 : begin == n - 1;
    } else {
      constexpr int64_t kEdge = std::numeric_limits<int32_t>::max();
      if (!forward) return Unimplemented("it runs backwards over an axis of unknown size");
      bounds.begin_mask[axis] = begin == 0 || begin <= -kEdge;
      bounds.end_mask[axis] = end >= kEdge;
    }
    bounds.begin[axis] = bounds.begin_mask[axis] ? 0 : begin;
    bounds.end[axis] = bounds.end_mask[axis] ? 0 : end;
  }
  return bounds;
}

bool HasComputedBounds(const Node& node) { return node.constant(1) == nullptr || node.constant(2) == nullptr; }

// What slice_by_index takes of each axis, bounds computed at run time among them: numbers or parts of `bounds`, all else `rest`.
std::string ComputedBounds(const Node& node, Program& out, size_t input, const std::vector<int64_t>& axes) {
  const int64_t rank = node.input(0)->rank();
  const bool ends = input == 2;
  const auto single = [&](const std::string& list, int64_t at) {
    return out.Helper(node, "slice_by_size", {{"x", {list}}, {"begin", {out.Ints({at})}}, {"size", {out.Ints({1})}}},
                      mil::INT32, {Dim(1)});
  };
  const std::string sizes =
      ends ? out.Helper(node, "shape", {{"x", {out.Operand(node, 0)}}}, mil::INT32, {Dim(rank)}) : "";
  std::vector<std::string> parts;
  for (int64_t axis = 0; axis < rank; ++axis) {
    const auto at = std::ranges::find(axes, axis) - axes.begin();
    if (at == static_cast<int64_t>(axes.size())) {
      parts.push_back(ends ? single(sizes, axis) : out.Ints({0}));
    } else if (const Tensor* numbers = node.constant(input); numbers != nullptr) {
      constexpr int64_t kFar = std::numeric_limits<int32_t>::max();
      parts.push_back(ends && numbers->ToInt64s()[at] >= kFar
                          ? single(sizes, axis)
                          : out.Ints({std::clamp(numbers->ToInt64s()[at], -kFar, kFar)}));
    } else {
      parts.push_back(single(out.Operand(node, input), at));
    }
  }
  return out.Helper(node, "concat", {{"values", parts}, {"axis", {out.Int(0)}}, {"interleave", {out.Bool(false)}}},
                    mil::INT32, {Dim(rank)});
}

std::vector<int64_t> SliceAxes(const Node& node) {
  std::vector<int64_t> axes;
  if (node.constant(3) != nullptr) axes = node.constant(3)->ToInt64s();
  for (int64_t& axis : axes) axis += axis < 0 ? node.input(0)->rank() : 0;
  if (node.input(3) == nullptr) {
    const Shape& count = *node.input(1)->shape;
    for (int64_t axis = 0; axis < count[0].value(); ++axis) axes.push_back(axis);
  }
  return axes;
}

absl::Status CheckSlice(const Node& node) {
  if (HasComputedBounds(node)) {
    const bool counted = node.input(1)->shape && node.input(1)->rank() == 1 && (*node.input(1)->shape)[0].IsKnown();
    if ((node.input(3) != nullptr && node.constant(3) == nullptr) || !counted)
      return Unsupported(node, "its axes are computed", "give the input's size with --shape");
    for (const int64_t step : node.constant(4) != nullptr ? node.constant(4)->ToInt64s() : std::vector<int64_t>{}) {
      if (step < 1)
        return Unsupported(node, "it runs backwards between computed bounds", "give the input's size with --shape");
    }
    if (node.input(4) != nullptr && node.constant(4) == nullptr)
      return Unsupported(node, "its steps are computed", "give the input's size with --shape");
    return absl::OkStatus();
  }
  const auto bounds = ReadBounds(node);
  return bounds.ok() ? absl::OkStatus()
                     : Unsupported(node, Message(bounds.status()), "give the input's size with --shape");
}

void Slice(const Node& node, Program& out) {
  if (HasComputedBounds(node)) {
    const std::vector<int64_t> axes = SliceAxes(node);
    std::vector<int64_t> strides(static_cast<size_t>(node.input(0)->rank()), 1);
    for (size_t i = 0; i < axes.size() && node.constant(4) != nullptr; ++i)
      strides[static_cast<size_t>(axes[i])] = node.constant(4)->ToInt64s()[i];
    const std::string none = out.Bools(std::vector<bool>(strides.size(), false));
    out.Emit(node, "slice_by_index",
             {{"x", {out.Operand(node, 0)}},
              {"begin", {ComputedBounds(node, out, 1, axes)}},
              {"end", {ComputedBounds(node, out, 2, axes)}},
              {"stride", {out.Ints(strides)}},
              {"begin_mask", {none}},
              {"end_mask", {none}},
              {"squeeze_mask", {none}}});
    return;
  }
  const Bounds bounds = *ReadBounds(node);
  out.Emit(node, "slice_by_index",
           {{"x", {out.Operand(node, 0)}},
            {"begin", {out.Ints(bounds.begin)}},
            {"end", {out.Ints(bounds.end)}},
            {"stride", {out.Ints(bounds.stride)}},
            {"begin_mask", {out.Bools(bounds.begin_mask)}},
            {"end_mask", {out.Bools(bounds.end_mask)}},
            {"squeeze_mask", {out.Bools(std::vector<bool>(bounds.begin.size(), false))}}});
}

constexpr OpEmitter kEmitters[] = {
    {OpKind::kConcat, Concat},
    {OpKind::kSplit, Split, CheckSplit},
    {OpKind::kSlice, Slice, CheckSlice},
};

}  // namespace

std::span<const OpEmitter> SliceEmitters() { return kEmitters; }

}  // namespace slipway::coreml_writer
