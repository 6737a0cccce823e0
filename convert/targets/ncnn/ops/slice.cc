// Crop, Flip, Slice (several parts of one axis), Padding.
#include <algorithm>
#include <cstdint>

#include "common/base/error.h"
#include "convert/targets/ncnn/ops/ops.h"
#include "convert/targets/target.h"

namespace slipway::ncnn {
namespace {

constexpr int64_t kToTheEnd = -233;  // Crop's word for it

struct Range {
  int64_t axis, begin, end;  // of the blob; end may be kToTheEnd
};
// Axis `axis` of a value on its blob; -1: left out, being of size 1. Cuts leave the other axes of input and outputs the same.
int64_t BlobAxis(const std::vector<int64_t>& kept, int64_t axis) {
  const auto at = std::ranges::find(kept, axis);
  return at == kept.end() ? -1 : at - kept.begin();
}
BlobUse UseOf(const Value* value, const std::vector<int64_t>& kept) {
  Shape shape;
  for (const int64_t axis : kept) shape.push_back((*value->shape)[static_cast<size_t>(axis)]);
  return {value, shape};
}

struct Cut {
  std::vector<int64_t> kept;   // the input's axes that its blob has
  std::vector<Range> ranges;   // step 1
  std::vector<int64_t> flips;  // axes read backwards, whole
};

absl::StatusOr<Cut> CutOf(const Node& node) {
  const Value* x = node.input(0);
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    if (node.input(i) != nullptr && node.constant(i) == nullptr)
      return Unsupported(node, "computed bounds", "fix the sizes they depend on with --shape");
  }
  const std::vector<int64_t> starts = node.constant(1)->ToInt64s(), ends = node.constant(2)->ToInt64s();
  std::vector<int64_t> axes = node.constant(3) != nullptr ? node.constant(3)->ToInt64s() : std::vector<int64_t>{};
  const std::vector<int64_t> steps =
      node.constant(4) != nullptr ? node.constant(4)->ToInt64s() : std::vector<int64_t>(starts.size(), 1);
  for (size_t i = axes.size(); i < starts.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  Cut cut;
  cut.kept = BlobAxes(*x);
  for (size_t i = 0; i < starts.size(); ++i) {
    const int64_t axis = axes[i] < 0 ? axes[i] + x->rank() : axes[i];
    const Dim& dim = (*x->shape)[static_cast<size_t>(axis)];
    const int64_t blob_axis = BlobAxis(cut.kept, axis);
    if (blob_axis < 0) continue;  // the only element stays
    if (steps[i] == -1 && dim == (*node.output()->shape)[static_cast<size_t>(axis)]) {
      cut.flips.push_back(blob_axis);
      continue;
    }
    if (steps[i] != 1) return Unsupported(node, fmt::format("a step of {}", steps[i]), "NCNN's Crop has steps of 1");
    Range range{blob_axis, starts[i], ends[i]};
    if (dim.IsKnown()) {
      const int64_t size = dim.value();
      range.begin = std::clamp<int64_t>(range.begin < 0 ? range.begin + size : range.begin, 0, size);
      range.end = std::clamp<int64_t>(range.end < 0 ? range.end + size : range.end, 0, size);
      if (range.begin == 0 && range.end == size) continue;
      if (range.end == size) range.end = kToTheEnd;
    } else if (range.end >= INT32_MAX) {
      range.end = kToTheEnd;
      if (range.begin == 0) continue;
    } else if (range.end == 0 || range.begin < INT32_MIN || range.begin > INT32_MAX) {
      return Unsupported(node, "a cut that may be empty", "fix the sizes with --shape");
    }
    cut.ranges.push_back(range);
  }
  if (!cut.flips.empty() && !cut.ranges.empty())
    return Unsupported(node, "a cut and a reversal in one", "write them as two Slices");
  return cut;
}

absl::Status CheckSlice(const Node& node) { return CutOf(node).status(); }

absl::Status EmitSlice(const Node& node, Emitter& emitter) {
  ASSIGN_OR_RETURN(const Cut cut, CutOf(node));
  const BlobUse in = UseOf(node.input(0), cut.kept), out = UseOf(node.output(), cut.kept);
  if (!cut.flips.empty()) return emitter.Layer("Flip", node, {in}, {out}, {{0, cut.flips}});
  if (cut.ranges.empty()) return emitter.Layer("Noop", node, {in}, {out});
  std::vector<int64_t> starts, ends, axes;
  for (const Range& range : cut.ranges) {
    starts.push_back(range.begin);
    ends.push_back(range.end);
    axes.push_back(range.axis);
  }
  return emitter.Layer("Crop", node, {in}, {out}, {{9, starts}, {10, ends}, {11, axes}});
}

absl::Status CheckSplit(const Node& node) {
  int64_t axis = node.attributes.Int("axis", 0);
  if (axis < 0) axis += node.input(0)->rank();
  for (const Value* output : node.outputs) {
    if (output == nullptr) return Unsupported(node, "a part that nobody names", "name every part");
    if (!(*output->shape)[static_cast<size_t>(axis)].IsKnown())
      return Unsupported(node, "parts of unknown size", "fix the sizes with --shape");
  }
  if (BlobAxis(BlobAxes(*node.input(0)), axis) < 0) return Unsupported(node, "a split of one element", "leave it out");
  return absl::OkStatus();
}

absl::Status EmitSplit(const Node& node, Emitter& emitter) {
  const std::vector<int64_t> kept = BlobAxes(*node.input(0));
  int64_t axis = node.attributes.Int("axis", 0);
  if (axis < 0) axis += node.input(0)->rank();
  std::vector<int64_t> sizes;
  std::vector<BlobUse> outputs;
  for (const Value* output : node.outputs) {
    sizes.push_back((*output->shape)[static_cast<size_t>(axis)].value());
    outputs.push_back(UseOf(output, kept));
  }
  return emitter.Layer("Slice", node, {UseOf(node.input(0), kept)}, outputs, {{0, sizes}, {1, BlobAxis(kept, axis)}});
}

// Widths of a Pad on the blob's axes.
struct Border {
  bool drop = false;
  std::vector<int64_t> begin, end;
};

absl::StatusOr<Border> BorderOf(const Node& node) {
  const Value* x = node.input(0);
  if (node.constant(1) == nullptr || (node.input(2) != nullptr && node.constant(2) == nullptr) ||
      (node.input(3) != nullptr && node.constant(3) == nullptr)) {
    return Unsupported(node, "computed pads", "NCNN's Padding has them as parameters");
  }
  const std::vector<int64_t> pads = node.constant(1)->ToInt64s();
  std::vector<int64_t> axes = node.constant(3) != nullptr ? node.constant(3)->ToInt64s() : std::vector<int64_t>{};
  if (axes.empty()) {
    for (int64_t axis = 0; axis < x->rank(); ++axis) axes.push_back(axis);
  }
  const auto rank = static_cast<size_t>(x->rank());
  Border border{DropsBatch(*x) && DropsBatch(*node.output()), std::vector<int64_t>(rank, 0),
                std::vector<int64_t>(rank, 0)};
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(axes[i] < 0 ? axes[i] + x->rank() : axes[i]);
    border.begin[axis] = pads[i];
    border.end[axis] = pads[i + axes.size()];
  }
  if (border.drop) {
    border.begin.erase(border.begin.begin());
    border.end.erase(border.end.begin());
  }
  for (size_t i = 0; i < border.begin.size(); ++i) {
    if (border.begin[i] < 0 || border.end[i] < 0) return Unsupported(node, "negative pads", "crop with a Slice");
  }
  return border;
}

absl::Status CheckPad(const Node& node) {
  ASSIGN_OR_RETURN(const Border border, BorderOf(node));
  const std::string mode = node.attributes.String("mode", "constant");
  if (mode != "constant" && mode != "reflect" && mode != "edge")
    return Unsupported(node, fmt::format("mode '{}'", mode), "NCNN pads with a constant, the edge or its reflection");
  if (static_cast<int64_t>(border.begin.size()) > kMaxBlobRank)
    return Unsupported(node, "pads of the batch", "an NCNN blob holds one sample");
  if (border.begin.size() == 4 && (border.begin[0] != 0 || border.end[0] != 0))
    return Unsupported(node, "pads of the channels of a volume", "concatenate a constant");
  return absl::OkStatus();
}

absl::Status EmitPad(const Node& node, Emitter& emitter) {
  ASSIGN_OR_RETURN(const Border border, BorderOf(node));
  const std::string mode = node.attributes.String("mode", "constant");
  const float value =
      node.constant(2) != nullptr && node.constant(2)->size() == 1 ? node.constant(2)->ToFloats()[0] : 0;
  const size_t rank = border.begin.size();
  const auto width = [&](const std::vector<int64_t>& widths, size_t from_inner) {
    return from_inner < rank ? widths[rank - 1 - from_inner] : 0;
  };
  const Params params = {{0, width(border.begin, 1)},
                         {1, width(border.end, 1)},
                         {2, width(border.begin, 0)},
                         {3, width(border.end, 0)},
                         {4, int64_t{mode == "edge"      ? 1
                                     : mode == "reflect" ? 2
                                                         : 0}},
                         {5, value},
                         {7, width(border.begin, 2)},
                         {8, width(border.end, 2)}};
  return emitter.Layer("Padding", node, {Use(node.input(0), border.drop)}, {Use(node.output(), border.drop)}, params);
}

}  // namespace

std::span<const OpEmitter> SliceOps() {
  static constexpr OpEmitter kOps[] = {{OpKind::kSlice, CheckSlice, EmitSlice, true},
                                       {OpKind::kSplit, CheckSplit, EmitSplit, true},
                                       {OpKind::kPad, CheckPad, EmitPad}};
  return kOps;
}

}  // namespace slipway::ncnn
