// Shape, Size, ConstantOfShape, Range, EyeLike: tensors made from shapes.
#include <cmath>

#include "convert/ir/cast.h"
#include "convert/passes/shapes/infer.h"

namespace slipway::shapes {
namespace {

absl::Status InferShape(Inference& in) {
  if (!in.HasShape(0)) return in.Set(0, DataType::kInt64, UnknownShape(1));
  const std::optional<std::vector<Dim>> values = ShapeValue(*in.node.output(0));
  return in.Set(0, DataType::kInt64, {values ? Dim(static_cast<int64_t>(values->size())) : Dim(in.rank(0))});
}

absl::Status InferSize(Inference& in) { return in.Set(0, DataType::kInt64, {}); }

absl::Status InferConstantOfShape(Inference& in) {
  const Tensor* value = in.node.attributes.TensorOf("value");
  const DataType type = value != nullptr ? value->type() : DataType::kFloat32;
  const std::optional<std::vector<Dim>> sizes = in.Values(0);
  if (sizes) {
    for (const Dim& size : *sizes) {
      if (size.IsKnown() && size.value() < 0) return in.Error("size {} is negative", size.value());
    }
    return in.Set(0, type, *sizes);
  }
  if (in.HasShape(0) && in.rank(0) == 1 && in.shape(0)[0].IsKnown() && in.shape(0)[0].value() <= 64) {
    return in.Set(0, type, UnknownShape(static_cast<size_t>(in.shape(0)[0].value())));
  }
  return in.SetUnranked(0, type);
}

absl::Status InferRange(Inference& in) {
  const Tensor *start = in.node.constant(0), *limit = in.node.constant(1), *delta = in.node.constant(2);
  Dim count = Dim::Unknown();
  if (start != nullptr && limit != nullptr && delta != nullptr && start->size() == 1 && limit->size() == 1 &&
      delta->size() == 1) {
    const double step = delta->ToDoubles()[0];
    if (step == 0) return in.Error("delta is 0");
    const double steps = std::ceil((limit->ToDoubles()[0] - start->ToDoubles()[0]) / step);
    if (!(steps < 0x1p62)) return in.Error("{} elements", steps);
    count = Dim(steps > 0 ? static_cast<int64_t>(steps) : 0);
  } else if (IsInteger(in.type(0))) {
    const auto first = in.Values(0), last = in.Values(1), step = in.Values(2);
    if (first && last && step && first->size() == 1 && last->size() == 1 && step->size() == 1 && (*step)[0] == Dim(1)) {
      count = (*last)[0] - (*first)[0];
      if (count.IsKnown() && count.value() < 0) count = Dim(0);
    }
  }
  return in.Set(0, in.type(0), {count});
}

absl::Status InferEyeLike(Inference& in) {
  const DataType type =
      in.node.attributes.Has("dtype") ? ElementTypeOfCode(in.node.attributes.Int("dtype", 0)) : in.type(0);
  if (!in.HasShape(0)) return in.Set(0, type, UnknownShape(2));
  return in.Set(0, type, in.shape(0));
}

constexpr Entry kEntries[] = {
    {OpKind::kShape, InferShape}, {OpKind::kSize, InferSize},       {OpKind::kConstantOfShape, InferConstantOfShape},
    {OpKind::kRange, InferRange}, {OpKind::kEyeLike, InferEyeLike},
};

}  // namespace

std::span<const Entry> SourceFunctions() { return kEntries; }

}  // namespace slipway::shapes
