// Concat, Split, Slice, Pad, CenterCropPad, Trilu, ReverseSequence.
#include <algorithm>
#include <limits>

#include "convert/passes/shapes/infer.h"

namespace slipway::shapes {
namespace {

absl::Status InferConcat(Inference& in) {
  if (!in.HasShape(0)) return in.Unranked();
  Shape out = in.shape(0);
  ASSIGN_OR_RETURN(const int64_t axis, in.Axis(in.node.attributes.Int("axis", 0), in.rank(0)));
  for (size_t i = 1; i < in.node.inputs.size(); ++i) {
    if (!in.HasShape(i)) return in.Set(0, in.type(0), UnknownShape(out.size()));
    if (in.type(i) != in.type(0)) return in.Error("inputs of types {} and {}", Name(in.type(0)), Name(in.type(i)));
    const Shape& shape = in.shape(i);
    bool fits = shape.size() == out.size();
    for (size_t d = 0; fits && d < out.size(); ++d) {
      if (static_cast<int64_t>(d) == axis) {
        out[d] = out[d] + shape[d];
      } else {
        fits = !Contradict(out[d], shape[d]);
        if (!out[d].IsKnown()) out[d] = shape[d];
      }
    }
    if (!fits)
      return in.Error("input {} of shape {} does not fit {} along axis {}", i, ToString(shape), ToString(in.shape(0)),
                      axis);
  }
  return in.Set(0, in.type(0), std::move(out));
}

absl::Status InferSplit(Inference& in) {
  const size_t count = in.node.outputs.size();
  if (!in.HasShape(0)) return in.Unranked();
  ASSIGN_OR_RETURN(const int64_t axis, in.Axis(in.node.attributes.Int("axis", 0), in.rank(0)));
  const Dim& size = in.shape(0)[axis];
  std::vector<Dim> sizes;
  if (in.Has(1)) {
    const std::optional<std::vector<Dim>> given = in.Values(1);
    sizes = given ? *given : UnknownShape(count);
    if (sizes.size() != count) return in.Error("{} sizes for {} outputs", sizes.size(), count);
    Dim total(0);
    for (const Dim& part : sizes) {
      if (part.IsKnown() && part.value() < 0) return in.Error("size {} is negative", part.value());
      total = total + part;
    }
    if (Contradict(total, size))
      return in.Error("sizes add up to {}, axis {} has {}", total.ToString(), axis, size.ToString());
  } else {
    // num_outputs: chunks of ceil(size / n), the last one smaller; before opset 18 only even splits were said so.
    const int64_t parts = in.node.attributes.Int("num_outputs", static_cast<int64_t>(count));
    if (parts < 1 || parts < static_cast<int64_t>(count))
      return in.Error("num_outputs {} for {} outputs", parts, count);
    const Dim chunk = CeilDiv(size, parts);
    for (size_t i = 0; i < count; ++i) {
      sizes.push_back(static_cast<int64_t>(i) + 1 < parts ? chunk : size - chunk * Dim(parts - 1));
    }
  }
  for (size_t i = 0; i < count; ++i) {
    Shape out = in.shape(0);
    out[axis] = sizes[i];
    RETURN_IF_ERROR(in.Set(i, in.type(0), std::move(out)));
  }
  return absl::OkStatus();
}

// Elements of [start, end) by step within [0, size), as Slice clamps them.
Dim SliceSize(const Dim& size, const std::optional<Dim>& start, const std::optional<Dim>& end, int64_t step) {
  if (!start || !end || step == 0) return Dim::Unknown();
  step = std::max(step, -std::numeric_limits<int64_t>::max());
  if (size.IsKnown() && start->IsKnown() && end->IsKnown()) {
    const int64_t n = size.value();
    const auto clamp = [&](int64_t at) {
      if (at < 0) at = at < -n ? -1 - n : at;
      if (at < 0) at += n;
      return step > 0 ? std::clamp<int64_t>(at, 0, n) : std::clamp<int64_t>(at, -1, n - 1);
    };
    const int64_t first = clamp(start->value()), last = clamp(end->value());
    const int64_t span = step > 0 ? last - first : first - last;
    const int64_t stride = step > 0 ? step : -step;
    return Dim(span <= 0 ? 0 : (span - 1) / stride + 1);
  }
  if (step < 0) {
    const bool whole =
        start->IsKnown() && end->IsKnown() && start->value() == -1 && end->value() <= -(int64_t{1} << 30);
    return whole ? CeilDiv(size, -step) : Dim::Unknown();
  }
  // Symbolic: a bound counted from the end is size + bound; one beyond every size is the size.
  constexpr int64_t kBeyond = int64_t{1} << 30;
  const auto resolve = [&](const Dim& at) -> std::optional<Dim> {
    if (!at.IsKnown()) return at;
    if (at.value() >= kBeyond) return size;
    if (at.value() <= -kBeyond) return Dim(0);
    if (at.value() < 0) return size + at;
    return at;
  };
  const std::optional<Dim> first = resolve(*start), last = resolve(*end);
  if (!first || !last) return Dim::Unknown();
  // A number as the end may be cut by an unknown size: only the size itself, or what is derived from it, is sure.
  if (!size.IsKnown() && last->IsKnown() && last->value() != 0) return Dim::Unknown();
  if (!size.IsKnown() && first->IsKnown() == false && !(*first == size) && last->IsKnown()) return Dim::Unknown();
  return CeilDiv(*last - *first, step);
}

absl::Status InferSlice(Inference& in) {
  if (!in.HasShape(0)) return in.Unranked();
  Shape out = in.shape(0);
  const std::optional<std::vector<Dim>> starts = in.Values(1), ends = in.Values(2);
  std::optional<std::vector<int64_t>> axes, steps;
  if (in.Has(3)) {
    axes = in.Numbers(3);
    if (!axes) return in.Set(0, in.type(0), UnknownShape(out.size()));
  } else {
    const size_t count = starts ? starts->size() : ends ? ends->size() : out.size();
    axes.emplace();
    for (size_t i = 0; i < count; ++i) axes->push_back(static_cast<int64_t>(i));
  }
  if (in.Has(4)) {
    steps = in.Numbers(4);
  } else {
    steps.emplace(axes->size(), 1);
  }
  if ((starts && starts->size() != axes->size()) || (ends && ends->size() != axes->size()) ||
      (steps && steps->size() != axes->size())) {
    return in.Error("starts, ends, axes and steps of different lengths");
  }
  ASSIGN_OR_RETURN(const std::vector<int64_t> resolved, in.Axes(*axes, in.rank(0)));
  for (size_t i = 0; i < resolved.size(); ++i) {
    if (steps && (*steps)[i] == 0) return in.Error("step 0");
    out[resolved[i]] = SliceSize(out[resolved[i]], starts ? std::optional<Dim>((*starts)[i]) : std::nullopt,
                                 ends ? std::optional<Dim>((*ends)[i]) : std::nullopt, steps ? (*steps)[i] : 0);
  }
  return in.Set(0, in.type(0), std::move(out));
}

absl::Status InferPad(Inference& in) {
  if (!in.HasShape(0)) return in.Unranked();
  Shape out = in.shape(0);
  const std::optional<std::vector<Dim>> pads = in.Values(1);
  std::vector<int64_t> axes;
  if (in.Has(3)) {
    const std::optional<std::vector<int64_t>> given = in.Numbers(3);
    if (!given) return in.Set(0, in.type(0), UnknownShape(out.size()));
    ASSIGN_OR_RETURN(axes, in.Axes(*given, in.rank(0)));
  } else {
    for (int64_t i = 0; i < in.rank(0); ++i) axes.push_back(i);
  }
  if (!pads) return in.Set(0, in.type(0), UnknownShape(out.size()));
  if (pads->size() != 2 * axes.size()) return in.Error("{} pads for {} axes", pads->size(), axes.size());
  for (size_t i = 0; i < axes.size(); ++i) {
    Dim& size = out[axes[i]];
    size = size + (*pads)[i] + (*pads)[i + axes.size()];
    if (size.IsKnown() && size.value() < 0) return in.Error("pads cut more than axis {} has", axes[i]);
  }
  return in.Set(0, in.type(0), std::move(out));
}

absl::Status InferCenterCropPad(Inference& in) {
  if (!in.HasShape(0)) return in.Unranked();
  Shape out = in.shape(0);
  std::vector<int64_t> axes = in.node.attributes.Ints("axes");
  if (axes.empty()) {
    for (int64_t i = 0; i < in.rank(0); ++i) axes.push_back(i);
  }
  ASSIGN_OR_RETURN(const std::vector<int64_t> resolved, in.Axes(axes, in.rank(0)));
  const std::optional<std::vector<Dim>> sizes = in.Values(1);
  if (sizes && sizes->size() != axes.size()) return in.Error("{} sizes for {} axes", sizes->size(), axes.size());
  for (size_t i = 0; i < resolved.size(); ++i) out[resolved[i]] = sizes ? (*sizes)[i] : Dim::Unknown();
  return in.Set(0, in.type(0), std::move(out));
}

absl::Status LikeData(Inference& in) {
  if (!in.HasShape(0)) return in.Unranked();
  return in.Set(0, in.type(0), in.shape(0));
}

constexpr Entry kEntries[] = {
    {OpKind::kConcat, InferConcat},       {OpKind::kSplit, InferSplit},
    {OpKind::kSlice, InferSlice},         {OpKind::kPad, InferPad},
    {OpKind::kTrilu, LikeData},           {OpKind::kCenterCropPad, InferCenterCropPad},
    {OpKind::kReverseSequence, LikeData},
};

}  // namespace

std::span<const Entry> MovementFunctions() { return kEntries; }

}  // namespace slipway::shapes
