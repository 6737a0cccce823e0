#include "convert/passes/merge_neighbours.h"

#include <algorithm>
#include <optional>

#include "common/base/error.h"
#include "convert/passes/steps.h"

namespace slipway {
namespace {

using enum OpKind;

constexpr OpKind kElementwise[] = {
    kAdd,  kSub,         kMul,  kDiv, kPow,   kMin,   kMax,         kMod,       kEqual,   kGreater, kGreaterOrEqual,
    kLess, kLessOrEqual, kAnd,  kOr,  kXor,   kWhere, kRelu,        kLeakyRelu, kSigmoid, kTanh,    kExp,
    kLog,  kSqrt,        kNeg,  kAbs, kErf,   kGelu,  kHardSigmoid, kHardSwish, kSwish,   kMish,    kSoftplus,
    kElu,  kClip,        kCast, kNot, kFloor, kCeil,  kRound,       kSign,      kSin,     kCos,     kReciprocal};

// What an operation does to its axes.
struct Layout {
  std::vector<size_t> data;    // inputs that have axes
  std::vector<int64_t> named;  // axes that it treats by number
};

std::vector<int64_t> Positive(std::vector<int64_t> axes, int64_t rank) {
  for (int64_t& axis : axes) axis += axis < 0 ? rank : 0;
  return axes;
}

std::optional<Layout> LayoutOf(const Node& node) {
  const int64_t rank = node.output()->rank();
  Layout layout;
  switch (node.kind) {
    case kSoftmax:
    case kLogSoftmax:
      return Layout{{0}, Positive({node.attributes.Int("axis", -1)}, rank)};
    case kConcat:
      for (size_t i = 0; i < node.inputs.size(); ++i) layout.data.push_back(i);
      layout.named = Positive({node.attributes.Int("axis", 0)}, rank);
      return layout;
    case kSlice: {
      for (size_t i = 1; i < node.inputs.size(); ++i) {
        if (node.input(i) != nullptr && node.constant(i) == nullptr) return std::nullopt;
      }
      if (node.constant(1) == nullptr) return std::nullopt;
      std::vector<int64_t> axes = node.constant(3) != nullptr ? node.constant(3)->ToInt64s() : std::vector<int64_t>{};
      for (auto i = static_cast<int64_t>(axes.size()); i < node.constant(1)->size(); ++i) axes.push_back(i);
      return Layout{{0}, Positive(axes, rank)};
    }
    case kPad: {
      if (node.constant(1) == nullptr || node.input(3) != nullptr) return std::nullopt;
      const std::vector<int64_t> pads = node.constant(1)->ToInt64s();
      layout.data = {0};
      for (int64_t i = 0; i < rank; ++i) {
        if (pads[static_cast<size_t>(i)] != 0 || pads[static_cast<size_t>(i + rank)] != 0) layout.named.push_back(i);
      }
      return layout;
    }
    case kTile: {
      if (node.constant(1) == nullptr) return std::nullopt;
      const std::vector<int64_t> repeats = node.constant(1)->ToInt64s();
      layout.data = {0};
      for (int64_t i = 0; i < rank; ++i) {
        if (repeats[static_cast<size_t>(i)] != 1) layout.named.push_back(i);
      }
      return layout;
    }
    case kExpand:
      return IsStatic(*node.output()->shape) ? std::optional(Layout{{0}, {}}) : std::nullopt;
    case kClip:
      return Layout{{0}, {}};
    default:
      for (size_t i = 0; i < node.inputs.size(); ++i) layout.data.push_back(i);
      return layout;
  }
}

// Runs of axes that stay together.
struct Group {
  std::vector<size_t> axes;
  bool named = false;
  int64_t old_axis() const { return static_cast<int64_t>(axes.front()); }
};

class MergeNeighbours final : public Rule {
 public:
  MergeNeighbours(int64_t most, bool batch_apart) : most_(most), batch_apart_(batch_apart) {
    kinds_.assign(std::begin(kElementwise), std::end(kElementwise));
    for (const OpKind kind : {kSoftmax, kLogSoftmax, kConcat, kSlice, kPad, kTile, kExpand, kGather})
      kinds_.push_back(kind);
  }
  std::string_view name() const override { return "merge-neighbours"; }
  std::span<const OpKind> kinds() const override { return kinds_; }

  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    if (node.kind == kGather) return TakeOne(graph, node);
    const Value* result = node.output();
    if (node.outputs.size() != 1 || result == nullptr || !result->shape || !TooMany(*result->shape)) return false;
    const Shape& out = *result->shape;
    const std::optional<Layout> layout = LayoutOf(node);
    if (!layout) return false;
    std::vector<Shape> shapes;  // of the operands, of the result's rank
    for (const size_t i : layout->data) {
      const Value* operand = node.input(i);
      if (operand == nullptr || !operand->shape || operand->rank() > result->rank()) return false;
      Shape shape = *operand->shape;
      shape.insert(shape.begin(), out.size() - shape.size(), Dim(1));
      shapes.push_back(std::move(shape));
    }
    const std::vector<Group> groups = GroupsOf(shapes, out, layout->named);
    if (static_cast<int64_t>(groups.size()) > most_ || groups.empty()) return false;
    // Shapes and their targets first: nothing is added before it is sure that all can be said.
    std::vector<std::optional<std::vector<int64_t>>> targets;
    for (size_t k = 0; k < shapes.size(); ++k) {
      targets.push_back(ReshapeTarget(*node.input(layout->data[k])->shape, Merged(shapes[k], groups)));
      if (!targets.back()) return false;
    }
    const auto back = ReshapeTarget(Merged(out, groups), out);
    if (!back) return false;

    Steps s(graph, node);
    std::vector<Value*> inputs = node.inputs;
    for (size_t k = 0; k < shapes.size(); ++k) {
      Value*& input = inputs[layout->data[k]];
      if (input->IsConstant()) {
        input = s.Constant(input->constant->Reshaped(*StaticShape(Merged(shapes[k], groups))));
      } else {
        input = s.Reshape(input, *targets[k]);
      }
    }
    Attributes attributes = node.attributes;
    Renumber(s, node, groups, out, inputs, attributes);
    return s.Become(kReshape, {s.Op(node.kind, inputs, attributes), s.Ints(*back)});
  }

 private:
  // Gather of one constant index is a cut, whose axes are merged in turn.
  absl::StatusOr<bool> TakeOne(Graph& graph, Node& node) const {
    Value* x = node.input(0);
    const Tensor* index = node.constant(1);
    if (!x->shape || !TooMany(*x->shape) || index == nullptr || index->size() != 1 || !node.output()->shape)
      return false;
    const int64_t at = index->ToInt64s()[0], given = node.attributes.Int("axis", 0);
    const auto target = ReshapeTarget(*x->shape, *node.output()->shape);
    if (!target) return false;
    Steps s(graph, node);
    Value* one = s.Slice(x, given < 0 ? given + x->rank() : given, at, at == -1 ? INT64_MAX : at + 1);
    return s.Become(kReshape, {one, s.Ints(*target)});
  }

  bool TooMany(const Shape& shape) const {
    const auto rank = static_cast<int64_t>(shape.size());
    return rank > most_ + (batch_apart_ && shape.size() > 1 && shape.front() == Dim(1) ? 1 : 0);
  }

  // Axes of 1 that nothing names vanish.
  static std::vector<Group> GroupsOf(const std::vector<Shape>& shapes, const Shape& out,
                                     const std::vector<int64_t>& named) {
    std::vector<Group> groups;
    std::vector<bool> last;
    for (size_t axis = 0; axis < out.size(); ++axis) {
      const bool is_named = std::ranges::find(named, static_cast<int64_t>(axis)) != named.end();
      if (!is_named && out[axis] == Dim(1)) continue;
      std::vector<bool> broadcast;
      for (const Shape& shape : shapes) broadcast.push_back(!is_named && shape[axis] == Dim(1));
      if (is_named || groups.empty() || groups.back().named || broadcast != last) {
        groups.push_back({{axis}, is_named});
      } else {
        groups.back().axes.push_back(axis);
      }
      last = broadcast;
    }
    return groups;
  }

  static Shape Merged(const Shape& shape, const std::vector<Group>& groups) {
    Shape merged;
    for (const Group& group : groups) {
      Dim size = 1;
      for (const size_t axis : group.axes) size = size * shape[axis];
      merged.push_back(size);
    }
    return merged;
  }

  // The numbers of axes, and what is given for each of them.
  static void Renumber(Steps& s, const Node& node, const std::vector<Group>& groups, const Shape& out,
                       std::vector<Value*>& inputs, Attributes& attributes) {
    const auto moved = [&](int64_t axis) {
      const auto at =
          std::ranges::find_if(groups, [&](const Group& group) { return group.named && group.old_axis() == axis; });
      return static_cast<int64_t>(at - groups.begin());
    };
    const int64_t rank = node.output()->rank();
    switch (node.kind) {
      case kSoftmax:
      case kLogSoftmax:
      case kConcat:
        attributes.Set("axis",
                       moved(Positive({node.attributes.Int("axis", node.kind == kConcat ? 0 : -1)}, rank).front()));
        break;
      case kSlice: {
        std::vector<int64_t> axes = LayoutOf(node)->named;
        for (int64_t& axis : axes) axis = moved(axis);
        inputs.resize(std::max<size_t>(inputs.size(), 4), nullptr);
        inputs[3] = s.Ints(axes);
        break;
      }
      case kPad: {
        const std::vector<int64_t> pads = node.constant(1)->ToInt64s();
        std::vector<int64_t> before, after;
        for (const Group& group : groups) {
          before.push_back(group.named ? pads[group.axes.front()] : 0);
          after.push_back(group.named ? pads[group.axes.front() + static_cast<size_t>(rank)] : 0);
        }
        before.insert(before.end(), after.begin(), after.end());
        inputs[1] = s.Ints(before);
        break;
      }
      case kTile: {
        const std::vector<int64_t> repeats = node.constant(1)->ToInt64s();
        std::vector<int64_t> of_groups;
        for (const Group& group : groups) of_groups.push_back(group.named ? repeats[group.axes.front()] : 1);
        inputs[1] = s.Ints(of_groups);
        break;
      }
      case kExpand:
        inputs[1] = s.Ints(*StaticShape(Merged(out, groups)));
        break;
      default:
        break;
    }
  }

  const int64_t most_;
  const bool batch_apart_;
  std::vector<OpKind> kinds_;
};

}  // namespace

std::unique_ptr<Rule> MakeMergeNeighbours(int64_t most, bool batch_apart) {
  return std::make_unique<MergeNeighbours>(most, batch_apart);
}

}  // namespace slipway
