#include <algorithm>
#include <limits>

#include "convert/ir/cast.h"
#include "convert/passes/fold/rules.h"
#include "convert/passes/match.h"

namespace slipway::fold {
namespace {

bool AllElements(const Tensor* tensor, double number) {
  if (tensor == nullptr || tensor->size() == 0 || tensor->size() > 1 << 16) return false;
  const std::vector<double> values = tensor->ToDoubles();
  return std::all_of(values.begin(), values.end(), [&](double value) { return value == number; });
}

bool SameShape(const Node& node) {
  const Value *input = node.input(0), *output = node.output();
  return input != nullptr && input->shape && output->shape && *input->shape == *output->shape;
}

// Whether the node's result is its input 0, element for element.
bool ChangesNothing(const Node& node) {
  switch (node.kind) {
    case OpKind::kIdentity:
      return true;
    case OpKind::kCast:
      return node.input(0)->type == CastType(node);
    case OpKind::kTranspose: {
      const std::vector<int64_t> perm = PermOf(node);
      return !perm.empty() && IsIdentityPerm(perm);
    }
    case OpKind::kReshape:
    case OpKind::kFlatten:
    case OpKind::kSqueeze:
    case OpKind::kUnsqueeze:
    case OpKind::kExpand:
      return SameShape(node);
    case OpKind::kTile:
      return AllElements(node.constant(1), 1);
    case OpKind::kPad:
      return AllElements(node.constant(1), 0) || (node.constant(1) != nullptr && node.constant(1)->size() == 0);
    case OpKind::kSlice:
      // The same sizes by a positive step are the same elements.
      return SameShape(node) && (node.input(4) == nullptr || AllElements(node.constant(4), 1));
    case OpKind::kResize:
      return SameShape(node) && (node.input(3) != nullptr || AllElements(node.constant(2), 1)) &&
             node.attributes.String("coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize";
    case OpKind::kConcat:
    case OpKind::kSum:
    case OpKind::kMean:
    case OpKind::kMin:
    case OpKind::kMax:
      return node.inputs.size() == 1;
    case OpKind::kSplit:
      return node.outputs.size() == 1 && SameShape(node);
    case OpKind::kAdd:
    case OpKind::kSub:
      return SameShape(node) && AllElements(node.constant(1), 0);
    case OpKind::kMul:
    case OpKind::kDiv:
    case OpKind::kPow:
      return SameShape(node) && AllElements(node.constant(1), 1);
    case OpKind::kClip: {
      const std::optional<double> low = ScalarOf(node.input(1)), high = ScalarOf(node.input(2));
      return (node.input(1) == nullptr ||
              (low && *low <= std::numeric_limits<float>::lowest() && IsFloat(node.input(0)->type))) &&
             (node.input(2) == nullptr ||
              (high && *high >= std::numeric_limits<float>::max() && IsFloat(node.input(0)->type)));
    }
    case OpKind::kRelu: {
      const Value* input = node.input(0);
      return ProducerOf(input, OpKind::kRelu) != nullptr || ProducerOf(input, OpKind::kSigmoid) != nullptr;
    }
    case OpKind::kFloor:
    case OpKind::kCeil:
    case OpKind::kRound:
      return ProducerOf(node.input(0), OpKind::kFloor) != nullptr ||
             ProducerOf(node.input(0), OpKind::kCeil) != nullptr ||
             ProducerOf(node.input(0), OpKind::kRound) != nullptr;
    default:
      return false;
  }
}

constexpr OpKind kKinds[] = {
    OpKind::kIdentity,  OpKind::kCast,   OpKind::kTranspose, OpKind::kReshape, OpKind::kFlatten, OpKind::kSqueeze,
    OpKind::kUnsqueeze, OpKind::kExpand, OpKind::kTile,      OpKind::kPad,     OpKind::kSlice,   OpKind::kResize,
    OpKind::kConcat,    OpKind::kSum,    OpKind::kMean,      OpKind::kMin,     OpKind::kMax,     OpKind::kSplit,
    OpKind::kAdd,       OpKind::kSub,    OpKind::kMul,       OpKind::kDiv,     OpKind::kPow,     OpKind::kClip,
    OpKind::kRelu,      OpKind::kFloor,  OpKind::kCeil,      OpKind::kRound};

class RemoveIdentitiesRule final : public Rule {
 public:
  std::string_view name() const override { return "remove-identities"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    if (node.input(0) == nullptr || node.output() == nullptr || node.attributes.Has("activation")) return false;
    // The constant of a commutative op may stand first.
    if ((node.kind == OpKind::kAdd || node.kind == OpKind::kMul) && ConstantInput(node) == 0) {
      Value* constant = node.input(0);
      const Value* output = node.output();
      const bool same = node.input(1)->shape && output->shape && *node.input(1)->shape == *output->shape;
      if (same && AllElements(&*constant->constant, node.kind == OpKind::kAdd ? 0 : 1))
        return Bypass(graph, node, node.input(1));
      return false;
    }
    if (node.input(0)->quantization || node.output()->quantization || !ChangesNothing(node)) return false;
    return Bypass(graph, node, node.input(0));
  }
};

}  // namespace

std::unique_ptr<Rule> RemoveIdentities() { return std::make_unique<RemoveIdentitiesRule>(); }

}  // namespace slipway::fold
