#include "convert/passes/grid_sample.h"

#include "common/base/error.h"
#include "convert/passes/steps.h"

namespace slipway {
namespace {

using enum OpKind;

// One axis of the image, and the positions on it.
struct Axis {
  int64_t size = 0;
  bool corners = false;  // -1 and 1 are the centres of the outermost pixels, not their outer edges
  std::string padding;
};
// A pixel that takes part, as a whole float, and how much of it.
struct Tap {
  Value *index, *weight;
};

class Sampler {
 public:
  explicit Sampler(Steps& steps) : s_(steps) {}

  Value* Add(Value* a, Value* b) { return s_.Op(kAdd, {a, b}); }
  Value* Add(Value* a, double b) { return s_.Op(kAdd, {a, s_.Number(b)}); }
  Value* Mul(Value* a, Value* b) { return s_.Op(kMul, {a, b}); }
  Value* Mul(Value* a, double b) { return s_.Op(kMul, {a, s_.Number(b)}); }
  Value* OneLess(Value* a) { return s_.Op(kSub, {s_.Number(1), a}); }
  Value* Clip(Value* a, double low, double high) {
    return s_.Op(kMax, {s_.Op(kMin, {a, s_.Number(high)}), s_.Number(low)});
  }

  std::vector<Tap> Taps(Value* grid, const Axis& axis, const std::string& mode) {
    const auto size = static_cast<double>(axis.size);
    // From [-1, 1] to pixels.
    Value* at = axis.corners ? Mul(Add(grid, 1), (size - 1) / 2) : Mul(Add(Mul(Add(grid, 1), size), -1), 0.5);
    if (mode == "nearest") {
      Value* whole = s_.Op(kRound, {Padded(at, axis)});
      return {Inside(whole, nullptr, axis)};
    }
    if (mode == "bilinear") at = Padded(at, axis);
    Value* first = s_.Op(kFloor, {at});
    Value* fraction = s_.Op(kSub, {at, first});
    if (mode == "bilinear") return {Inside(first, OneLess(fraction), axis), Inside(Add(first, 1), fraction, axis)};
    // Keys' kernel with a = -0.75; each tap is padded by itself.
    std::vector<Tap> taps;
    for (int64_t k = -1; k <= 2; ++k) {
      Value* distance = s_.Op(kAbs, {Add(fraction, static_cast<double>(-k))});
      taps.push_back(
          Inside(Padded(Add(first, static_cast<double>(k)), axis), Cubic(distance, k == -1 || k == 2), axis));
    }
    return taps;
  }

 private:
  Value* Cubic(Value* d, bool far) {
    constexpr double a = -0.75;
    const auto polynomial = [&](double c3, double c2, double c1, double c0) {
      return Add(Mul(Add(Mul(Add(Mul(d, c3), c2), d), c1), d), c0);
    };
    return far ? polynomial(a, -5 * a, 8 * a, -4 * a) : polynomial(a + 2, -(a + 3), 0, 1);
  }

  Value* Padded(Value* at, const Axis& axis) {
    const auto size = static_cast<double>(axis.size);
    if (axis.padding == "border") return Clip(at, 0, size - 1);
    if (axis.padding != "reflection") return at;
    const double low = axis.corners ? 0 : -0.5, span = axis.corners ? size - 1 : size;
    if (span == 0) return Mul(at, 0.0);
    // Back and forth between low and low + span.
    Value* from_low = Add(at, -low);
    Value* turns = s_.Op(kFloor, {Mul(from_low, 1 / (2 * span))});
    Value* within = s_.Op(kSub, {from_low, Mul(turns, 2 * span)});
    Value* back = s_.Op(kSub, {s_.Number(span), s_.Op(kAbs, {Add(within, -span)})});
    return Clip(Add(back, low), 0, size - 1);
  }

  // Pixels outside count nothing; the index is brought inside all the same.
  Tap Inside(Value* index, Value* weight, const Axis& axis) {
    Value* inside = Clip(index, 0, static_cast<double>(axis.size - 1));
    if (axis.padding != "zeros") return {inside, weight};
    Value* counts = s_.Cast(s_.Op(kEqual, {inside, index}), DataType::kFloat32);
    return {inside, weight == nullptr ? counts : Mul(weight, counts)};
  }

  Steps& s_;
};

class GridSampleByGather final : public Rule {
 public:
  std::string_view name() const override { return "grid-sample-by-gather"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    Value *x = node.input(0), *grid = node.input(1);
    if (x->rank() != 4 || grid->rank() != 4 || x->type != DataType::kFloat32 || grid->type != DataType::kFloat32)
      return false;
    const auto image = StaticShape(Shape(x->shape->begin() + 1, x->shape->end())),
               points = StaticShape(Shape(grid->shape->begin() + 1, grid->shape->end()));
    if (!image || !points || (*points)[2] != 2) return false;
    const int64_t channels = (*image)[0], height = (*image)[1], width = (*image)[2],
                  count = (*points)[0] * (*points)[1];
    const std::string mode = node.attributes.String("mode", "bilinear"),
                      padding = node.attributes.String("padding_mode", "zeros");
    const bool corners = node.attributes.Int("align_corners", 0) != 0;
    Steps s(graph, node);
    Sampler sampler(s);
    Value* pixels = s.Reshape(s.Transpose(x, {0, 2, 3, 1}), {0, height * width, channels});
    Value* places = s.Reshape(grid, {0, count, 2});
    const std::vector<Tap> columns = sampler.Taps(s.Slice(places, 2, 0, 1), {width, corners, padding}, mode),
                           rows = sampler.Taps(s.Slice(places, 2, 1, 2), {height, corners, padding}, mode);
    Value* sum = nullptr;
    for (const Tap& row : rows) {
      for (const Tap& column : columns) {
        Value* index = sampler.Add(sampler.Mul(row.index, static_cast<double>(width)), column.index);
        Value* part = s.Op(kGatherND, {pixels, s.Cast(index, DataType::kInt64)}, Steps::With("batch_dims", int64_t{1}));
        Value* weight = row.weight != nullptr && column.weight != nullptr ? sampler.Mul(row.weight, column.weight)
                        : row.weight != nullptr                           ? row.weight
                                                                          : column.weight;
        if (weight != nullptr) part = sampler.Mul(part, weight);
        sum = sum == nullptr ? part : sampler.Add(sum, part);
      }
    }
    return s.Become(kReshape, {s.Transpose(sum, {0, 2, 1}), s.Ints({0, channels, (*points)[0], (*points)[1]})});
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kGridSample};
};

}  // namespace

std::unique_ptr<Rule> MakeGridSampleByGather() { return std::make_unique<GridSampleByGather>(); }

}  // namespace slipway
