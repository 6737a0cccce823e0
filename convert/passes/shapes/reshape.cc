// Reshape, Flatten, Squeeze, Unsqueeze, Transpose, Expand, Tile.
#include <algorithm>

#include "convert/passes/shapes/infer.h"

namespace slipway::shapes {
namespace {

Dim Product(const Shape& shape, size_t begin, size_t end) {
  Dim product(1);
  for (size_t i = begin; i < end; ++i) product = product * shape[i];
  return product;
}

// The size that -1 stands for: the data's count over the others' product; sizes that both sides share cancel first, so
// that symbols need no division.
Dim Remainder(const Shape& data, const std::vector<Dim>& others) {
  std::vector<Dim> numerator(data.begin(), data.end()), denominator = others;
  for (auto it = denominator.begin(); it != denominator.end();) {
    const auto match = std::find(numerator.begin(), numerator.end(), *it);
    if (it->IsKnown() || match == numerator.end()) {
      ++it;
      continue;
    }
    numerator.erase(match);
    it = denominator.erase(it);
  }
  return FloorDiv(Product(numerator, 0, numerator.size()), Product(denominator, 0, denominator.size()));
}

absl::Status InferReshape(Inference& in) {
  const std::optional<std::vector<Dim>> target = in.Values(1);
  if (!target) {
    // The rank is known when the shape's length is.
    if (in.HasShape(1) && in.rank(1) == 1 && in.shape(1)[0].IsKnown() && in.shape(1)[0].value() <= 64) {
      return in.Set(0, in.type(0), UnknownShape(static_cast<size_t>(in.shape(1)[0].value())));
    }
    return in.Unranked();
  }
  const bool allow_zero = in.node.attributes.Int("allowzero", 0) != 0;
  Shape out;
  int inferred = -1;
  for (size_t i = 0; i < target->size(); ++i) {
    const Dim& size = (*target)[i];
    if (size == Dim(-1)) {
      if (inferred >= 0) return in.Error("two sizes of the shape are -1");
      inferred = static_cast<int>(i);
      out.push_back(Dim(1));
    } else if (size == Dim(0) && !allow_zero) {
      if (!in.HasShape(0)) {
        out.push_back(Dim::Unknown());
      } else if (i < in.shape(0).size()) {
        out.push_back(in.shape(0)[i]);
      } else {
        return in.Error("size 0 copies axis {}, which data of shape {} lacks", i, ToString(in.shape(0)));
      }
    } else if (size.IsKnown() && size.value() < 0) {
      return in.Error("size {} in the shape", size.value());
    } else {
      out.push_back(size);
    }
  }
  if (inferred >= 0) {
    Dim remainder = Dim::Unknown();
    if (in.HasShape(0)) {
      std::vector<Dim> others = out;
      others.erase(others.begin() + inferred);
      const std::optional<std::vector<int64_t>> data = StaticShape(in.shape(0)), rest = StaticShape(others);
      if (data && rest) {
        const int64_t count = ElementCount(*data), divisor = ElementCount(*rest);
        if (divisor == 0 ? count != 0 : count % divisor != 0) {
          return in.Error("{} elements of shape {} do not fit {}", count, ToString(*data), ToString(*target));
        }
        remainder = Dim(divisor == 0 ? 0 : count / divisor);
      } else if (std::find(others.begin(), others.end(), Dim(0)) == others.end()) {
        remainder = Remainder(in.shape(0), others);
      }
    }
    out[inferred] = remainder;
  } else if (in.HasShape(0)) {
    const std::optional<std::vector<int64_t>> data = StaticShape(in.shape(0)), result = StaticShape(out);
    if (data && result && ElementCount(*data) != ElementCount(*result)) {
      return in.Error("{} elements of shape {} do not fit {}", ElementCount(*data), ToString(*data), ToString(*result));
    }
  }
  return in.Set(0, in.type(0), std::move(out));
}

absl::Status InferFlatten(Inference& in) {
  if (!in.HasShape(0)) return in.Set(0, in.type(0), UnknownShape(2));
  int64_t axis = in.node.attributes.Int("axis", 1);
  if (axis < 0) axis += in.rank(0);
  if (axis < 0 || axis > in.rank(0)) return in.Error("axis {} of data of rank {}", axis, in.rank(0));
  return in.Set(0, in.type(0), {Product(in.shape(0), 0, axis), Product(in.shape(0), axis, in.shape(0).size())});
}

absl::Status InferSqueeze(Inference& in) {
  if (!in.HasShape(0)) return in.Unranked();
  std::vector<int64_t> axes;
  if (in.Has(1)) {
    const std::optional<std::vector<int64_t>> given = in.Numbers(1);
    if (!given) return in.Unranked();
    ASSIGN_OR_RETURN(axes, in.Axes(*given, in.rank(0)));
  } else {
    for (int64_t i = 0; i < in.rank(0); ++i) {
      if (!in.shape(0)[i].IsKnown()) return in.Unranked();
      if (in.shape(0)[i] == Dim(1)) axes.push_back(i);
    }
  }
  Shape out;
  for (int64_t i = 0; i < in.rank(0); ++i) {
    if (std::find(axes.begin(), axes.end(), i) == axes.end()) {
      out.push_back(in.shape(0)[i]);
    } else if (Contradict(in.shape(0)[i], Dim(1))) {
      return in.Error("axis {} of size {} cannot be squeezed", i, in.shape(0)[i].value());
    }
  }
  return in.Set(0, in.type(0), std::move(out));
}

absl::Status InferUnsqueeze(Inference& in) {
  const std::optional<std::vector<int64_t>> given = in.Numbers(1);
  if (!in.HasShape(0) || !given) return in.Unranked();
  const int64_t rank = in.rank(0) + static_cast<int64_t>(given->size());
  ASSIGN_OR_RETURN(std::vector<int64_t> axes, in.Axes(*given, rank));
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end()) return in.Error("an axis is given twice");
  Shape out = in.shape(0);
  for (int64_t axis : axes) out.insert(out.begin() + axis, Dim(1));
  return in.Set(0, in.type(0), std::move(out));
}

absl::Status InferTranspose(Inference& in) {
  if (!in.HasShape(0)) return in.Unranked();
  std::vector<int64_t> perm = in.node.attributes.Ints("perm");
  if (perm.empty()) {
    for (int64_t i = in.rank(0) - 1; i >= 0; --i) perm.push_back(i);
  }
  if (static_cast<int64_t>(perm.size()) != in.rank(0)) {
    return in.Error("perm of {} axes for data of shape {}", perm.size(), ToString(in.shape(0)));
  }
  Shape out;
  std::vector<bool> seen(perm.size());
  for (int64_t axis : perm) {
    if (axis < 0 || axis >= in.rank(0) || seen[axis]) return in.Error("perm {} is no permutation", ToString(perm));
    seen[axis] = true;
    out.push_back(in.shape(0)[axis]);
  }
  return in.Set(0, in.type(0), std::move(out));
}

absl::Status InferExpand(Inference& in) {
  const std::optional<std::vector<Dim>> target = in.Values(1);
  if (!in.HasShape(0) || !target) return in.Unranked();
  const std::optional<Shape> out = Broadcast(in.shape(0), *target);
  if (!out) return in.Error("shape {} does not broadcast to {}", ToString(in.shape(0)), ToString(*target));
  return in.Set(0, in.type(0), *out);
}

absl::Status InferTile(Inference& in) {
  if (!in.HasShape(0)) return in.Unranked();
  const std::optional<std::vector<Dim>> repeats = in.Values(1);
  if (!repeats) return in.Set(0, in.type(0), UnknownShape(in.shape(0).size()));
  if (repeats->size() != in.shape(0).size()) return in.Error("{} repeats for rank {}", repeats->size(), in.rank(0));
  Shape out;
  for (size_t i = 0; i < repeats->size(); ++i) {
    if ((*repeats)[i].IsKnown() && (*repeats)[i].value() < 0)
      return in.Error("repeat {} is negative", (*repeats)[i].value());
    out.push_back(in.shape(0)[i] * (*repeats)[i]);
  }
  return in.Set(0, in.type(0), std::move(out));
}

constexpr Entry kEntries[] = {
    {OpKind::kReshape, InferReshape},     {OpKind::kFlatten, InferFlatten},     {OpKind::kSqueeze, InferSqueeze},
    {OpKind::kUnsqueeze, InferUnsqueeze}, {OpKind::kTranspose, InferTranspose}, {OpKind::kExpand, InferExpand},
    {OpKind::kTile, InferTile},
};

}  // namespace

std::span<const Entry> ReshapeFunctions() { return kEntries; }

}  // namespace slipway::shapes
