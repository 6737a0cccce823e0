#include <array>

#include "convert/ir/cast.h"
#include "convert/targets/ncnn/legalize/compose.h"
#include "convert/targets/ncnn/legalize/legalize.h"

namespace slipway::ncnn {
namespace {

// Whole numbers are computed as what they are held as: float32, exact up to 2^24.
class ComputeWholeNumbers final : public Rule {
 public:
  std::string_view name() const override { return "compute-whole-numbers"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {
        OpKind::kAdd,        OpKind::kSub,   OpKind::kMul,       OpKind::kDiv,       OpKind::kMod,
        OpKind::kMin,        OpKind::kMax,   OpKind::kNeg,       OpKind::kAbs,       OpKind::kSign,
        OpKind::kClip,       OpKind::kPow,   OpKind::kReduceSum, OpKind::kReduceMax, OpKind::kReduceMin,
        OpKind::kReduceProd, OpKind::kWhere, OpKind::kCumSum,    OpKind::kTile,      OpKind::kExpand,
        OpKind::kPad};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    // Of reductions and movements the first operand is data, the others are numbers of axes and sizes.
    const bool first_only = node.kind == OpKind::kReduceSum || node.kind == OpKind::kReduceMax ||
                            node.kind == OpKind::kReduceMin || node.kind == OpKind::kReduceProd ||
                            node.kind == OpKind::kCumSum || node.kind == OpKind::kTile || node.kind == OpKind::kExpand;
    const bool pad = node.kind == OpKind::kPad;
    const DataType type = node.output()->type;
    if (!IsInteger(type) || node.input(0) == nullptr) return false;
    Composer c(graph, node);
    std::vector<Value*> inputs = node.inputs;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if ((first_only && i > 0) || (pad && i != 0 && i != 2)) continue;
      if (inputs[i] == nullptr || inputs[i]->type == DataType::kBool) continue;
      if (!IsInteger(inputs[i]->type)) return false;
      inputs[i] = inputs[i]->IsConstant() ? c.Constant(inputs[i]->constant->Cast(DataType::kFloat32))
                                          : c.Add(OpKind::kCast, {inputs[i]}, CastTo(DataType::kFloat32));
    }
    if (node.kind == OpKind::kDiv)
      return c.Finish(OpKind::kCast, {Quotient(c, inputs[0], inputs[0], inputs[1])}, CastTo(type));
    if (node.kind == OpKind::kMod) {
      const bool towards_zero = node.attributes.Int("fmod", 0) != 0;
      Value* quotient = Quotient(c, inputs[0], inputs[towards_zero ? 0 : 1], inputs[1]);
      if (towards_zero) {
        quotient = c.Add(OpKind::kCast, {c.Add(OpKind::kCast, {quotient}, CastTo(DataType::kInt64))},
                         CastTo(DataType::kFloat32));
      } else {
        quotient = c.Add(OpKind::kFloor, {quotient});
      }
      Value* rest = c.Add(OpKind::kSub, {inputs[0], c.Add(OpKind::kMul, {quotient, inputs[1]})});
      return c.Finish(OpKind::kCast, {rest}, CastTo(type));
    }
    return c.Finish(OpKind::kCast, {c.Add(node.kind, std::move(inputs), node.attributes)}, CastTo(type));
  }

 private:
  // NCNN's quotients are off by a rounding, which must not reach a whole number: half a one is added first, with the sign of `towards`. Of its own sign, what
  // is cut towards 0 is the same; of the divisor's, what is rounded down.
  static Value* Quotient(Composer& c, Value* a, Value* towards, Value* b) {
    Value* sign = towards->IsConstant() ? Signs(c, *towards->constant) : c.Add(OpKind::kSign, {towards});
    return c.Add(OpKind::kDiv, {c.Add(OpKind::kAdd, {a, c.Add(OpKind::kMul, {sign, c.Constant(0.5f)})}), b});
  }
  static Value* Signs(Composer& c, const Tensor& numbers) {
    std::vector<float> signs = numbers.ToFloats();
    for (float& sign : signs) sign = sign > 0 ? 1 : sign < 0 ? -1 : 0;
    return c.Constant(Tensor::From(numbers.shape(), signs));
  }
};

// A whole number that becomes a truth value is first one that a blob compares.
class CompareWholeNumbers final : public Rule {
 public:
  std::string_view name() const override { return "compare-whole-numbers"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kCast};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    if (!IsInteger(node.input(0)->type) || CastType(node) != DataType::kBool) return false;
    Composer c(graph, node);
    return c.Finish(OpKind::kCast, {c.Add(OpKind::kCast, {node.input(0)}, CastTo(DataType::kFloat32))},
                    CastTo(DataType::kBool));
  }
};

}  // namespace

std::unique_ptr<Rule> MakeComputeWholeNumbers() { return std::make_unique<ComputeWholeNumbers>(); }
std::unique_ptr<Rule> MakeCompareWholeNumbers() { return std::make_unique<CompareWholeNumbers>(); }

}  // namespace slipway::ncnn
