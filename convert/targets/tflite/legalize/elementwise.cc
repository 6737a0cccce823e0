#include <limits>

#include "common/base/error.h"
#include "convert/ir/cast.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"
#include "convert/targets/tflite/legalize/legalize.h"

namespace slipway::tflite {
namespace {

using enum OpKind;

absl::StatusOr<bool> ChainVariadic(Graph& graph, Node& node) {
  const bool sums = node.kind == kSum || node.kind == kMean;
  if (node.inputs.size() == 2 && !sums) return false;
  const OpKind kind = sums ? kAdd : node.kind;
  Expansion e(graph, node);
  Value* total = node.input(0);
  const std::vector<Value*> inputs = node.inputs;
  if (inputs.size() == 1) return e.Become(kIdentity, {total});
  const bool mean = node.kind == kMean;
  for (size_t i = 1; i + (mean ? 0 : 1) < inputs.size(); ++i) total = e.Op(kind, {total, inputs[i]});
  if (mean) return e.Become(kMul, {total, e.Number(1.0 / static_cast<double>(inputs.size()))});
  return e.Become(kind, {total, inputs.back()});
}

absl::StatusOr<bool> Reciprocal(Graph& graph, Node& node) {
  Expansion e(graph, node);
  return e.Become(kDiv, {e.Number(1), node.input(0)});
}

absl::StatusOr<bool> IsNaN(Graph& graph, Node& node) {
  Expansion e(graph, node);
  return e.Become(kNot, {e.Op(kEqual, {node.input(0), node.input(0)})});
}

absl::StatusOr<bool> IsInf(Graph& graph, Node& node) {
  Expansion e(graph, node);
  const bool positive = node.attributes.Int("detect_positive", 1) != 0,
             negative = node.attributes.Int("detect_negative", 1) != 0;
  const double infinity = std::numeric_limits<double>::infinity();
  if (positive && negative) return e.Become(kEqual, {e.Op(kAbs, {node.input(0)}), e.Number(infinity)});
  if (!positive && !negative) return false;
  return e.Become(kEqual, {node.input(0), e.Number(positive ? infinity : -infinity)});
}

// DIV takes no int64: sizes, places and what is computed from them fit into int32.
absl::StatusOr<bool> QuotientInInt32(Graph& graph, Node& node) {
  if (node.output()->type != DataType::kInt64) return false;
  Expansion e(graph, node);
  const auto narrow = [&](Value* value) { return e.Op(kCast, {value}, With("to", ElementTypeCode(DataType::kInt32))); };
  Value* quotient = e.Op(kDiv, {narrow(node.input(0)), narrow(node.input(1))});
  return e.Become(kCast, {quotient}, With("to", ElementTypeCode(DataType::kInt64)));
}

// NEG, ABS and SIGN of whole numbers, by what takes int64 too.
absl::StatusOr<bool> SignsOfIntegers(Graph& graph, Node& node) {
  Value* x = node.input(0);
  if (x->type != DataType::kInt64 && x->type != DataType::kInt32) return false;
  Expansion e(graph, node);
  Value* zero = e.Constant(Tensor::From<int64_t>({}, {0}).Cast(x->type));
  if (node.kind == kNeg) return e.Become(kSub, {zero, x});
  if (node.kind == kAbs) return e.Become(kMax, {x, e.Op(kSub, {zero, x})});
  const auto number = [&](Value* truth) { return e.Op(kCast, {truth}, With("to", ElementTypeCode(x->type))); };
  return e.Become(kSub, {number(e.Op(kGreater, {x, zero})), number(e.Op(kLess, {x, zero}))});
}

bool IsNarrow(DataType type) {
  return type == DataType::kInt8 || type == DataType::kInt16 || type == DataType::kUInt8 || type == DataType::kUInt16;
}

// Arithmetic on narrow integers would be read as quantised: it runs in int32 and is cut back.
absl::StatusOr<bool> NarrowIntegers(Graph& graph, Node& node) {
  if (node.inputs.size() != 2 || !IsNarrow(node.input(0)->type)) return false;
  Expansion e(graph, node);
  std::vector<Value*> inputs;
  for (Value* input : std::vector<Value*>(node.inputs))
    inputs.push_back(e.Op(kCast, {input}, With("to", ElementTypeCode(DataType::kInt32))));
  const DataType type = node.output()->type;
  if (type == DataType::kBool) return e.Become(node.kind, inputs, node.attributes);
  Value* result = e.Op(node.kind, inputs, node.attributes);
  return e.Become(kCast, {result}, With("to", ElementTypeCode(type)));
}

absl::StatusOr<bool> PowOfOneType(Graph& graph, Node& node) {
  // A broken exponent of a whole base would lose its fraction.
  if (node.input(0)->type == node.input(1)->type || (!IsFloat(node.input(0)->type) && IsFloat(node.input(1)->type)))
    return false;
  Expansion e(graph, node);
  Value* exponent = e.Op(kCast, {node.input(1)}, With("to", ElementTypeCode(node.input(0)->type)));
  return e.Become(kPow, {node.input(0), exponent});
}

// The remainder with the dividend's sign: that of the magnitudes, turned.
absl::StatusOr<bool> TruncatedMod(Graph& graph, Node& node) {
  if (node.attributes.Int("fmod", 0) == 0 || IsNarrow(node.input(0)->type)) return false;
  Expansion e(graph, node);
  Value* x = node.input(0);
  const auto zero = [&] { return e.Constant(Tensor::From<int64_t>({}, {0}).Cast(x->type)); };
  const auto negated = [&](Value* value) { return e.Op(kSub, {zero(), value}); };
  const auto magnitude = [&](Value* value) { return e.Op(kMax, {value, negated(value)}); };
  Value* rest = e.Op(kMod, {magnitude(x), magnitude(node.input(1))});
  return e.Become(kWhere, {e.Op(kLess, {x, zero()}), negated(rest), rest});
}

// POW takes two float32 or two int32.
absl::StatusOr<bool> PowerTypes(Graph& graph, Node& node) {
  Value *base = node.input(0), *exponent = node.input(1);
  const bool whole = IsInteger(base->type) && IsInteger(exponent->type);
  const DataType type = whole ? DataType::kInt32 : DataType::kFloat32;
  if (base->type == type && exponent->type == type) return false;
  Expansion e(graph, node);
  const auto cast = [&](Value* value) {
    return value->type == type ? value : e.Op(kCast, {value}, With("to", ElementTypeCode(type)));
  };
  Value* power = e.Op(kPow, {cast(base), cast(exponent)});
  if (power == nullptr || power->type == node.output()->type) return e.Become(kIdentity, {power});
  return e.Become(kCast, {power}, With("to", ElementTypeCode(node.output()->type)));
}

// Shifts of bytes as products and quotients of int32, cut back to the byte.
absl::StatusOr<bool> ShiftBytes(Graph& graph, Node& node) {
  if (node.input(0)->type != DataType::kUInt8 && node.input(0)->type != DataType::kUInt16) return false;
  const DataType type = node.input(0)->type;
  Expansion e(graph, node);
  const auto number = [&](int32_t value) { return e.Constant(Tensor::From<int32_t>({}, {value})); };
  const auto wide = [&](Value* value) { return e.Op(kCast, {value}, With("to", ElementTypeCode(DataType::kInt32))); };
  Value* factor = e.Op(kPow, {number(2), wide(node.input(1))});
  const bool left = node.attributes.String("direction", "LEFT") == "LEFT";
  Value* shifted = e.Op(left ? kMul : kDiv, {wide(node.input(0)), factor});
  if (left) shifted = e.Op(kMod, {shifted, number(type == DataType::kUInt8 ? 1 << 8 : 1 << 16)});
  return e.Become(kCast, {shifted}, With("to", ElementTypeCode(type)));
}

}  // namespace

void AddElementwiseRules(Rules& rules) {
  rules.push_back(MakeRule("quotient-in-int32", {kDiv}, QuotientInInt32));
  rules.push_back(MakeRule("signs-of-integers", {kNeg, kAbs, kSign}, SignsOfIntegers));
  rules.push_back(MakeRule("chain-variadic", {kSum, kMean, kMin, kMax}, ChainVariadic));
  rules.push_back(MakeRule("reciprocal-to-div", {kReciprocal}, Reciprocal));
  rules.push_back(MakeRule("is-nan-to-equal", {kIsNaN}, IsNaN));
  rules.push_back(MakeRule("is-inf-to-equal", {kIsInf}, IsInf));
  rules.push_back(MakeRule("pow-of-one-type", {kPow}, PowOfOneType));
  rules.push_back(MakeRule("truncated-mod", {kMod}, TruncatedMod));
  rules.push_back(MakeRule("power-types", {kPow}, PowerTypes));
  rules.push_back(MakeRule("shift-bytes", {kBitShift}, ShiftBytes));
  rules.push_back(
      MakeRule("narrow-integers",
               {kAdd, kSub, kMul, kDiv, kMin, kMax, kMod, kPow, kEqual, kGreater, kGreaterOrEqual, kLess, kLessOrEqual},
               NarrowIntegers));
}

}  // namespace slipway::tflite
