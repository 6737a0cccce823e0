#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>

#include "common/base/error.h"
#include "convert/ir/cast.h"
#include "convert/passes/match.h"
#include "convert/targets/ncnn/legalize/compose.h"
#include "convert/targets/ncnn/legalize/legalize.h"

namespace slipway::ncnn {
namespace {

// Truth values are blobs of 0 and 1, made by one comparison: x > number.
class ComposeLogic final : public Rule {
 public:
  std::string_view name() const override { return "compose-logic"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {
        OpKind::kGreater, OpKind::kLess,  OpKind::kGreaterOrEqual, OpKind::kLessOrEqual, OpKind::kEqual,
        OpKind::kXor,     OpKind::kWhere, OpKind::kCast,           OpKind::kSign,        OpKind::kThresholdedRelu};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    Composer c(graph, node);
    const auto above_zero = [&c](Value* value) { return c.Add(OpKind::kGreater, {value, c.Constant(0)}); };
    const auto number = [&c](Value* truth) { return c.Add(OpKind::kCast, {truth}, CastTo(DataType::kFloat32)); };
    Value *a = node.input(0), *b = node.input(1);
    const bool of_numbers = a->type == DataType::kFloat32;
    switch (node.kind) {
      case OpKind::kGreater:
        if (!of_numbers || ScalarOf(b).has_value()) return false;
        return c.Finish(OpKind::kGreater, {c.Add(OpKind::kSub, {a, b}), c.Constant(0)});
      case OpKind::kLess:
        if (!of_numbers) return false;
        return c.Finish(OpKind::kGreater, {c.Add(OpKind::kSub, {b, a}), c.Constant(0)});
      case OpKind::kGreaterOrEqual:
        if (!of_numbers) return false;
        return c.Finish(OpKind::kNot, {above_zero(c.Add(OpKind::kSub, {b, a}))});
      case OpKind::kLessOrEqual:
        if (!of_numbers) return false;
        return c.Finish(OpKind::kNot, {above_zero(c.Add(OpKind::kSub, {a, b}))});
      case OpKind::kEqual:
        if (a->type == DataType::kBool) return c.Finish(OpKind::kNot, {c.Add(OpKind::kXor, {a, b})});
        if (!of_numbers) return false;
        return c.Finish(OpKind::kNot, {above_zero(c.Add(OpKind::kAbs, {c.Add(OpKind::kSub, {a, b})}))});
      case OpKind::kXor:
        return c.Finish(OpKind::kAnd, {c.Add(OpKind::kOr, {a, b}), c.Add(OpKind::kNot, {c.Add(OpKind::kAnd, {a, b})})});
      case OpKind::kWhere: {
        Value* other = node.input(2);
        if (b->type != DataType::kFloat32) return false;
        Value* chosen = number(a);
        Value* left = c.Add(OpKind::kMul, {chosen, Finite(c, b)});
        Value* right = c.Add(OpKind::kMul, {c.Add(OpKind::kSub, {c.Constant(1), chosen}), Finite(c, other)});
        return c.Finish(OpKind::kAdd, {left, right});
      }
      case OpKind::kCast:
        if (!of_numbers || CastType(node) != DataType::kBool) return false;
        return c.Finish(OpKind::kGreater, {c.Add(OpKind::kAbs, {a}), c.Constant(0)});
      case OpKind::kSign:
        if (!of_numbers) return false;
        return c.Finish(OpKind::kSub, {number(above_zero(a)), number(above_zero(c.Add(OpKind::kNeg, {a})))});
      case OpKind::kThresholdedRelu:
        return c.Finish(OpKind::kMul,
                        {a, number(c.Add(OpKind::kGreater, {a, c.Constant(node.attributes.Float("alpha", 1))}))});
      default:
        return false;
    }
  }

 private:
  // What is not chosen is multiplied by 0, which an infinity would make NaN.
  static Value* Finite(Composer& c, Value* value) {
    if (!value->IsConstant()) return value;
    std::vector<float> numbers = value->constant->ToFloats();
    if (std::ranges::all_of(numbers, [](float x) { return std::isfinite(x); })) return value;
    for (float& x : numbers) x = std::isnan(x) ? 0 : std::clamp(x, -FLT_MAX, FLT_MAX);
    return c.Constant(Tensor::From(value->constant->shape(), numbers));
  }
};

}  // namespace

std::unique_ptr<Rule> MakeComposeLogic() { return std::make_unique<ComposeLogic>(); }

}  // namespace slipway::ncnn
