#include <array>
#include <cmath>

#include "common/base/error.h"
#include "convert/passes/fuse/rules.h"
#include "convert/passes/match.h"

namespace slipway::fuse {
namespace {

bool IsReshape(const Node* node) {
  return node != nullptr && (node->kind == OpKind::kReshape || node->kind == OpKind::kUnsqueeze);
}

// Reshape to [N, C, H, 1, W, 1], Expand or Tile to [N, C, H, r, W, s], Reshape to [N, C, H·r, W·s]: upsampling as Darknet's and Keras' exporters write it.
class RecogniseRepeatRule final : public Rule {
 public:
  std::string_view name() const override { return "recognise-repeat"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kReshape};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    const Node* grow = SoleProducer(graph, node.input(0), OpKind::kExpand);
    if (grow == nullptr) grow = SoleProducer(graph, node.input(0), OpKind::kTile);
    if (grow == nullptr || !IsReshape(grow->input(0)->producer) || node.output()->rank() != 4) return false;
    Value* x = grow->input(0)->producer->input(0);
    if (x->rank() != 4 || x->type != DataType::kFloat32 || !grow->output()->shape || !grow->input(0)->shape)
      return false;
    const Shape &in = *x->shape, &few = *grow->input(0)->shape, &many = *grow->output()->shape,
                &out = *node.output()->shape;
    if (few.size() != many.size()) return false;
    // Each axis of the data, and behind it perhaps one of 1 that grows.
    std::vector<float> scales;
    size_t at = 0;
    for (size_t axis = 0; axis < 4; ++axis) {
      if (at >= few.size() || !(few[at] == in[axis]) || !(many[at] == in[axis])) return false;
      ++at;
      int64_t factor = 1;
      if (at < few.size() && few[at] == Dim(1) && many[at].IsKnown() && many[at].value() > 1) {
        factor = many[at].value();
        ++at;
      }
      if ((axis < 2 && factor != 1) || !(out[axis] == in[axis] * Dim(factor))) return false;
      scales.push_back(static_cast<float>(factor));
    }
    if (at != few.size() || (scales[2] == 1 && scales[3] == 1)) return false;
    Attributes attributes;
    attributes.Set("mode", std::string("nearest"));
    attributes.Set("coordinate_transformation_mode", std::string("asymmetric"));
    attributes.Set("nearest_mode", std::string("floor"));
    Value* factors = graph.AddConstant(node.output()->name + "/scales", Tensor::Float32s(scales));
    RETURN_IF_ERROR(Rewrite(graph, node, OpKind::kResize, {x, nullptr, factors}, std::move(attributes)));
    return true;
  }
};

// A whole factor takes every pixel as often, however its centre is counted: the form that every runtime has.
class NearestByWholeFactorsRule final : public Rule {
 public:
  std::string_view name() const override { return "nearest-by-whole-factors"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kResize};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph&, Node& node) const override {
    Attributes& attributes = node.attributes;
    const std::string coordinates = attributes.String("coordinate_transformation_mode", "half_pixel"),
                      rounding = attributes.String("nearest_mode", "round_prefer_floor");
    const bool floors = coordinates == "tf_half_pixel_for_nn" && rounding == "floor";
    const bool rounds =
        (coordinates == "half_pixel" || coordinates == "pytorch_half_pixel") && rounding.starts_with("round_");
    if (attributes.String("mode", "nearest") != "nearest" || !(floors || rounds) || !AllWhole(node)) return false;
    attributes.Set("coordinate_transformation_mode", std::string("asymmetric"));
    attributes.Set("nearest_mode", std::string("floor"));
    return true;
  }

 private:
  static bool AllWhole(const Node& node) {
    if (const Tensor* scales = node.constant(2); scales != nullptr && scales->size() != 0) {
      for (const double scale : scales->ToDoubles()) {
        if (scale < 1 || scale != std::floor(scale)) return false;
      }
      return true;
    }
    if (node.input(2) != nullptr && node.constant(2) == nullptr) return false;
    const Value *x = node.input(0), *y = node.output();
    if (!x->shape || !y->shape) return false;
    for (size_t axis = 0; axis < x->shape->size(); ++axis) {
      const Dim &from = (*x->shape)[axis], &to = (*y->shape)[axis];
      if (from == to) continue;
      bool whole = from.IsKnown() && to.IsKnown() && from.value() > 0 && to.value() % from.value() == 0;
      for (int64_t factor = 2; factor <= 16 && !whole; ++factor) whole = to == from * Dim(factor);
      if (!whole) return false;
    }
    return true;
  }
};

}  // namespace

std::unique_ptr<Rule> RecogniseRepeat() { return std::make_unique<RecogniseRepeatRule>(); }
std::unique_ptr<Rule> NearestByWholeFactors() { return std::make_unique<NearestByWholeFactorsRule>(); }

}  // namespace slipway::fuse
