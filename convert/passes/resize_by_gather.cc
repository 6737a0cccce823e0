#include "convert/passes/resize_by_gather.h"

#include <algorithm>
#include <cmath>

#include "common/base/error.h"
#include "convert/passes/steps.h"

namespace slipway {
namespace {

using enum OpKind;

class Resizer {
 public:
  Resizer(Steps& steps, const Node& resize) : s_(steps), node_(resize) {
    mode_ = resize.attributes.String("mode", "nearest");
    coordinates_ = resize.attributes.String("coordinate_transformation_mode", "half_pixel");
  }

  // `x` resized along `axis` from `before` to `after` pixels (int64 scalars); `scale`: a constant one, 0 where the sizes' ratio is it.
  Value* Along(Value* x, int64_t axis, Value* before, Value* after, double scale) {
    const int64_t behind = x->rank() - 1 - axis;
    Value* from = s_.Cast(before, DataType::kFloat32);
    Value* to = s_.Cast(after, DataType::kFloat32);
    Value* pixels = s_.Cast(s_.Op(kRange, {s_.Int(0), after, s_.Int(1)}), DataType::kFloat32);
    Value* last = s_.Op(kSub, {from, s_.Number(1)});
    Value* ratio = scale == 0 ? s_.Op(kDiv, {to, from}) : s_.Number(scale);
    Value* at = Position(pixels, last, to, ratio);
    const auto clipped = [&](Value* index) { return s_.Op(kMax, {s_.Op(kMin, {index, last}), s_.Number(0)}); };
    const auto pixel = [&](Value* index) {
      return s_.Op(kGather, {x, s_.Cast(clipped(index), DataType::kInt64)}, Steps::With("axis", axis));
    };
    if (mode_ == "nearest") return pixel(Nearest(at));
    // A weight for each row stands before the axes behind it.
    const auto column = [&](Value* weight) {
      std::vector<int64_t> axes;
      for (int64_t i = 1; i <= behind; ++i) axes.push_back(i);
      return axes.empty() ? weight : s_.Op(kUnsqueeze, {weight, s_.Ints(axes)});
    };
    if (mode_ == "linear") at = clipped(at);
    Value* first = s_.Op(kFloor, {at});
    Value* fraction = s_.Op(kSub, {at, first});
    if (mode_ == "linear") {
      Value* lower = pixel(first);
      Value* step = s_.Op(kSub, {pixel(Plus(first, 1)), lower});
      return s_.Op(kAdd, {lower, s_.Op(kMul, {step, column(fraction)})});
    }
    Value* sum = nullptr;
    for (int64_t k = -1; k <= 2; ++k) {
      Value* distance = s_.Op(kAbs, {Plus(fraction, static_cast<double>(-k))});
      Value* part =
          s_.Op(kMul, {pixel(Plus(first, static_cast<double>(k))), column(Cubic(distance, k == -1 || k == 2))});
      sum = sum == nullptr ? part : s_.Op(kAdd, {sum, part});
    }
    return sum;
  }

 private:
  Value* Plus(Value* value, double number) { return s_.Op(kAdd, {value, s_.Number(number)}); }

  // Result pixels in the data's pixels (ONNX, Operators.md: Resize).
  Value* Position(Value* pixels, Value* last, Value* to, Value* ratio) {
    if (coordinates_ == "asymmetric") return s_.Op(kDiv, {pixels, ratio});
    // One pixel stands at the beginning: the divisor is 1 then, the pixel's number 0.
    if (coordinates_ == "align_corners") {
      Value* steps = s_.Op(kMax, {Plus(to, -1), s_.Number(1)});
      return s_.Op(kDiv, {s_.Op(kMul, {pixels, last}), steps});
    }
    Value* at = Plus(s_.Op(kDiv, {Plus(pixels, 0.5), ratio}), -0.5);
    if (coordinates_ != "pytorch_half_pixel") return at;
    Value* several = s_.Op(kMin, {Plus(to, -1), s_.Number(1)});
    return s_.Op(kMul, {at, several});
  }

  Value* Nearest(Value* at) {
    const std::string mode = node_.attributes.String("nearest_mode", "round_prefer_floor");
    if (mode == "floor") return s_.Op(kFloor, {at});
    if (mode == "ceil") return s_.Op(kCeil, {at});
    return mode == "round_prefer_ceil" ? s_.Op(kFloor, {Plus(at, 0.5)}) : s_.Op(kCeil, {Plus(at, -0.5)});
  }

  // Keys' kernel at a distance, below 1 or between 1 and 2.
  Value* Cubic(Value* d, bool far) {
    const double a = node_.attributes.Float("cubic_coeff_a", -0.75f);
    const auto polynomial = [&](double c3, double c2, double c1, double c0) {
      const auto times = [&](Value* value) { return s_.Op(kMul, {value, d}); };
      return Plus(times(Plus(times(Plus(s_.Op(kMul, {d, s_.Number(c3)}), c2)), c1)), c0);
    };
    return far ? polynomial(a, -5 * a, 8 * a, -4 * a) : polynomial(a + 2, -(a + 3), 0, 1);
  }

  Steps& s_;
  const Node& node_;
  std::string mode_, coordinates_;
};

constexpr std::string_view kCoordinates[] = {"half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"};

}  // namespace

absl::StatusOr<bool> ResizeByGather(Graph& graph, Node& resize) {
  Value* x = resize.input(0);
  if (!x->shape || !resize.output()->shape || x->type != DataType::kFloat32) return false;
  const Attributes& attributes = resize.attributes;
  if (attributes.Int("antialias", 0) != 0 || attributes.Int("exclude_outside", 0) != 0 ||
      attributes.String("data_layout", "NCHW") != "NCHW" ||
      attributes.String("keep_aspect_ratio_policy", "stretch") != "stretch" ||
      std::ranges::find(kCoordinates, attributes.String("coordinate_transformation_mode", "half_pixel")) ==
          std::end(kCoordinates))
    return false;
  std::vector<int64_t> axes = attributes.Ints("axes");
  if (axes.empty()) {
    for (int64_t i = 0; i < x->rank(); ++i) axes.push_back(i);
  }
  const Tensor* scales = resize.constant(2);
  const bool sized = resize.input(3) != nullptr;
  if (!sized && (scales == nullptr || scales->size() != static_cast<int64_t>(axes.size()))) return false;
  const Shape in = *x->shape, out = *resize.output()->shape;
  Steps s(graph, resize);
  Resizer resizer(s, resize);
  Value* result = x;
  Value *sizes = nullptr, *shape = nullptr;
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t axis = axes[i] < 0 ? axes[i] + x->rank() : axes[i];
    const Dim &before = in[static_cast<size_t>(axis)], &after = out[static_cast<size_t>(axis)];
    const double scale = sized ? 0 : scales->ToDoubles()[i];
    if (before == after && (sized || scale == 1)) continue;
    const auto entry = [&](Value* list, int64_t at) {
      return s.Op(kGather, {list, s.Int(at)}, Steps::With("axis", int64_t{0}));
    };
    Value* from = nullptr;
    if (before.IsKnown()) {
      from = s.Int(before.value());
    } else {
      if (shape == nullptr) shape = s.Op(kShape, {x});
      from = entry(shape, axis);
    }
    Value* to = nullptr;
    if (after.IsKnown()) {
      to = s.Int(after.value());
    } else if (sized) {
      if (sizes == nullptr)
        sizes = resize.input(3)->type == DataType::kInt64 ? resize.input(3) : s.Cast(resize.input(3), DataType::kInt64);
      to = entry(sizes, static_cast<int64_t>(i));
    } else {
      // Halves and the like count in whole numbers, whose result the shapes can follow.
      const auto part = static_cast<int64_t>(std::round(1 / scale));
      if (scale < 1 && 1 / static_cast<double>(part) == scale) {
        to = s.Op(kDiv, {from, s.Int(part)});
      } else {
        Value* scaled = s.Op(kMul, {s.Cast(from, DataType::kFloat32), s.Number(scale)});
        to = s.Cast(s.Op(kFloor, {scaled}), DataType::kInt64);
      }
    }
    result = resizer.Along(result, axis, from, to, scale);
  }
  return s.Become(kIdentity, {result});
}

}  // namespace slipway
