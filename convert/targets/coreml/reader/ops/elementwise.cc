#include "convert/targets/coreml/reader/op_reader.h"

namespace slipway::coreml_reader {
namespace {

bool IsInt(const Value* value) { return value != nullptr && IsInteger(value->type); }

template <OpKind kKind>
void ReadBinary(OpReader& op) {
  op.Emit(kKind, {op.Input("x"), op.Input("y")});
}

template <OpKind kKind>
void ReadComparison(OpReader& op) {
  op.Result(op.Add(kKind, {op.Input("x"), op.Input("y")}, {}, DataType::kBool));
}

void ReadNotEqual(OpReader& op) {
  Value* equal = op.Add(OpKind::kEqual, {op.Input("x"), op.Input("y")}, {}, DataType::kBool);
  op.Emit(OpKind::kNot, {equal});
}

template <OpKind kKind>
void ReadUnary(OpReader& op) {
  op.Emit(kKind, {op.Input("x")});
}

// Rounds towards minus infinity, integers too (ONNX's Div of integers rounds towards zero).
void ReadFloorDiv(OpReader& op) {
  Value* x = op.Input("x");
  Value* y = op.Input("y");
  if (!IsInt(x)) return op.Emit(OpKind::kFloor, {op.Add(OpKind::kDiv, {x, y})});
  Value* quotient = op.Add(OpKind::kDiv, {op.CastTo(x, DataType::kFloat64), op.CastTo(y, DataType::kFloat64)});
  op.Result(op.CastTo(op.Add(OpKind::kFloor, {quotient}), x->type));
}

// The remainder has the divisor's sign.
void ReadMod(OpReader& op) {
  Value* x = op.Input("x");
  Value* y = op.Input("y");
  if (IsInt(x)) return op.Emit(OpKind::kMod, {x, y});
  Value* floor = op.Add(OpKind::kFloor, {op.Add(OpKind::kDiv, {x, y})});
  op.Emit(OpKind::kSub, {x, op.Add(OpKind::kMul, {floor, y})});
}

void ReadExp2(OpReader& op) {
  Value* x = op.Input("x");
  op.Emit(OpKind::kPow, {op.ConstLike(x, 2), x});
}

Value* PlusEpsilon(OpReader& op, double fallback) {
  Value* x = op.Input("x");
  const double epsilon = op.Float("epsilon", fallback);
  return epsilon == 0 ? x : op.Add(OpKind::kAdd, {x, op.ConstLike(x, epsilon)});
}

void ReadInverse(OpReader& op) { op.Emit(OpKind::kReciprocal, {PlusEpsilon(op, 1e-4)}); }
void ReadLog(OpReader& op) { op.Emit(OpKind::kLog, {PlusEpsilon(op, 1e-45)}); }
void ReadRsqrt(OpReader& op) { op.Emit(OpKind::kReciprocal, {op.Add(OpKind::kSqrt, {PlusEpsilon(op, 1e-12)})}); }

void ReadSquare(OpReader& op) {
  Value* x = op.Input("x");
  op.Emit(OpKind::kMul, {x, x});
}

void ReadThreshold(OpReader& op) { op.Emit(OpKind::kMax, {op.Input("x"), op.Input("alpha")}); }

void ReadClip(OpReader& op) { op.Emit(OpKind::kClip, {op.Input("x"), op.Input("alpha"), op.Input("beta")}); }

void ReadSelect(OpReader& op) {
  Value* a = op.Input("a");
  if (!op.ok()) return;
  op.Result(op.Add(OpKind::kWhere, {op.Input("cond"), a, op.Input("b")}, {}, a->type));
}

void ReadCast(OpReader& op) {
  static constexpr std::pair<std::string_view, DataType> kNames[] = {
      {"bool", DataType::kBool},   {"fp16", DataType::kFloat16}, {"fp32", DataType::kFloat32},
      {"int8", DataType::kInt8},   {"int16", DataType::kInt16},  {"int32", DataType::kInt32},
      {"uint8", DataType::kUInt8}, {"uint16", DataType::kUInt16}};
  Value* x = op.Input("x");
  const std::string name = op.String("dtype", "");
  for (const auto& [known, type] : kNames) {
    if (known != name) continue;
    // A cast to fp16 is the rounding that Result() does; the declared type says so.
    if (op.output_count() != 1 || op.output().type != type) return op.Malformed("dtype is not the declared type");
    return op.Result(op.CastTo(x, HeldType(type)));
  }
  op.Malformed("dtype '" + name + "' is not one of MIL's");
}

constexpr OpEntry kOps[] = {
    {"abs", ReadUnary<OpKind::kAbs>},
    {"acos", ReadUnary<OpKind::kAcos>},
    {"add", ReadBinary<OpKind::kAdd>},
    {"asin", ReadUnary<OpKind::kAsin>},
    {"atan", ReadUnary<OpKind::kAtan>},
    {"atanh", ReadUnary<OpKind::kAtanh>},
    {"cast", ReadCast},
    {"ceil", ReadUnary<OpKind::kCeil>},
    {"clip", ReadClip},
    {"cos", ReadUnary<OpKind::kCos>},
    {"cosh", ReadUnary<OpKind::kCosh>},
    {"equal", ReadComparison<OpKind::kEqual>},
    {"erf", ReadUnary<OpKind::kErf>},
    {"exp", ReadUnary<OpKind::kExp>},
    {"exp2", ReadExp2},
    {"floor", ReadUnary<OpKind::kFloor>},
    {"floor_div", ReadFloorDiv},
    {"greater", ReadComparison<OpKind::kGreater>},
    {"greater_equal", ReadComparison<OpKind::kGreaterOrEqual>},
    {"identity", ReadUnary<OpKind::kIdentity>},
    {"inverse", ReadInverse},
    {"less", ReadComparison<OpKind::kLess>},
    {"less_equal", ReadComparison<OpKind::kLessOrEqual>},
    {"log", ReadLog},
    {"logical_and", ReadComparison<OpKind::kAnd>},
    {"logical_not", ReadUnary<OpKind::kNot>},
    {"logical_or", ReadComparison<OpKind::kOr>},
    {"logical_xor", ReadComparison<OpKind::kXor>},
    {"maximum", ReadBinary<OpKind::kMax>},
    {"minimum", ReadBinary<OpKind::kMin>},
    {"mod", ReadMod},
    {"mul", ReadBinary<OpKind::kMul>},
    {"not_equal", ReadNotEqual},
    {"pow", ReadBinary<OpKind::kPow>},
    {"real_div", ReadBinary<OpKind::kDiv>},
    {"round", ReadUnary<OpKind::kRound>},
    {"rsqrt", ReadRsqrt},
    {"select", ReadSelect},
    {"sign", ReadUnary<OpKind::kSign>},
    {"sin", ReadUnary<OpKind::kSin>},
    {"sinh", ReadUnary<OpKind::kSinh>},
    {"sqrt", ReadUnary<OpKind::kSqrt>},
    {"square", ReadSquare},
    {"sub", ReadBinary<OpKind::kSub>},
    {"tan", ReadUnary<OpKind::kTan>},
    {"tanh", ReadUnary<OpKind::kTanh>},
    {"threshold", ReadThreshold},
};

}  // namespace

std::span<const OpEntry> ElementwiseOps() { return kOps; }

}  // namespace slipway::coreml_reader
