#include "common/base/error.h"
#include "convert/targets/coreml/emit.h"

namespace slipway::coreml_writer {
namespace {

struct TypeOf {
  OpKind kind;
  std::string_view type;
};
constexpr TypeOf kTypes[] = {
    {OpKind::kAbs, "abs"},     {OpKind::kExp, "exp"},     {OpKind::kSqrt, "sqrt"},   {OpKind::kFloor, "floor"},
    {OpKind::kCeil, "ceil"},   {OpKind::kRound, "round"}, {OpKind::kSign, "sign"},   {OpKind::kErf, "erf"},
    {OpKind::kSin, "sin"},     {OpKind::kCos, "cos"},     {OpKind::kTan, "tan"},     {OpKind::kAsin, "asin"},
    {OpKind::kAcos, "acos"},   {OpKind::kAtan, "atan"},   {OpKind::kSinh, "sinh"},   {OpKind::kCosh, "cosh"},
    {OpKind::kAtanh, "atanh"}, {OpKind::kAdd, "add"},     {OpKind::kSub, "sub"},     {OpKind::kMul, "mul"},
    {OpKind::kPow, "pow"},     {OpKind::kMin, "minimum"}, {OpKind::kMax, "maximum"},
};

constexpr std::string_view MilTypeOf(OpKind kind) {
  for (const TypeOf& row : kTypes) {
    if (row.kind == kind) return row.type;
  }
  return "";
}

absl::Status CheckFloat(const Node& node) {
  if (!IsFloat(node.input(0)->type)) return Unsupported(node, "the op takes floats in Core ML", "cast its input");
  return absl::OkStatus();
}

template <OpKind kind>
void Unary(const Node& node, Program& out) {
  out.Emit(node, MilTypeOf(kind), {{"x", {out.Operand(node, 0)}}});
}

// With Core ML's own default epsilon, the least float32 above 0.
void Log(const Node& node, Program& out) {
  out.Emit(node, "log", {{"x", {out.Operand(node, 0)}}, {"epsilon", {out.Float(1e-45f)}}});
}

std::string One(const Node& node, Program& out, int64_t value) {
  return IsFloat(node.input(0)->type) ? out.Float(static_cast<float>(value)) : out.Int(value);
}

void Neg(const Node& node, Program& out) {
  out.Emit(node, "mul", {{"x", {out.Operand(node, 0)}}, {"y", {One(node, out, -1)}}});
}

// inverse() adds an epsilon; a division does not.
void Reciprocal(const Node& node, Program& out) {
  out.Emit(node, "real_div", {{"x", {out.Float(1)}}, {"y", {out.Operand(node, 0)}}});
}

absl::Status CheckBinary(const Node& node) {
  if (node.inputs.size() != 2)
    return Unsupported(node, fmt::format("the op takes 2 operands, not {}", node.inputs.size()), "rule chain-variadic");
  return absl::OkStatus();
}

template <OpKind kind>
void Binary(const Node& node, Program& out) {
  out.Emit(node, MilTypeOf(kind), {{"x", {out.Operand(node, 0)}}, {"y", {out.Operand(node, 1)}}});
}

// Integers: ONNX cuts off toward zero; floor_div agrees where the quotient is not negative, as sizes and indices are.
void Div(const Node& node, Program& out) {
  out.Emit(node, IsFloat(node.input(0)->type) ? "real_div" : "floor_div",
           {{"x", {out.Operand(node, 0)}}, {"y", {out.Operand(node, 1)}}});
}

absl::Status CheckMod(const Node& node) {
  if (node.attributes.Int("fmod", 0) != 0)
    return Unsupported(node, "fmod takes its sign from the dividend, mod from the divisor", "use Mod without fmod");
  return absl::OkStatus();
}

void Mod(const Node& node, Program& out) {
  out.Emit(node, "mod", {{"x", {out.Operand(node, 0)}}, {"y", {out.Operand(node, 1)}}});
}

constexpr OpEmitter kEmitters[] = {
    {OpKind::kAbs, Unary<OpKind::kAbs>, nullptr},
    {OpKind::kExp, Unary<OpKind::kExp>, CheckFloat},
    {OpKind::kSqrt, Unary<OpKind::kSqrt>, CheckFloat},
    {OpKind::kFloor, Unary<OpKind::kFloor>, CheckFloat},
    {OpKind::kCeil, Unary<OpKind::kCeil>, CheckFloat},
    {OpKind::kRound, Unary<OpKind::kRound>, CheckFloat},
    {OpKind::kSign, Unary<OpKind::kSign>, nullptr},
    {OpKind::kErf, Unary<OpKind::kErf>, CheckFloat},
    {OpKind::kSin, Unary<OpKind::kSin>, CheckFloat},
    {OpKind::kCos, Unary<OpKind::kCos>, CheckFloat},
    {OpKind::kTan, Unary<OpKind::kTan>, CheckFloat},
    {OpKind::kAsin, Unary<OpKind::kAsin>, CheckFloat},
    {OpKind::kAcos, Unary<OpKind::kAcos>, CheckFloat},
    {OpKind::kAtan, Unary<OpKind::kAtan>, CheckFloat},
    {OpKind::kSinh, Unary<OpKind::kSinh>, CheckFloat},
    {OpKind::kCosh, Unary<OpKind::kCosh>, CheckFloat},
    {OpKind::kAtanh, Unary<OpKind::kAtanh>, CheckFloat},
    {OpKind::kLog, Log, CheckFloat},
    {OpKind::kNeg, Neg},
    {OpKind::kReciprocal, Reciprocal, CheckFloat},
    {OpKind::kAdd, Binary<OpKind::kAdd>, CheckBinary},
    {OpKind::kSub, Binary<OpKind::kSub>, CheckBinary},
    {OpKind::kMul, Binary<OpKind::kMul>, CheckBinary},
    {OpKind::kPow, Binary<OpKind::kPow>, CheckBinary},
    {OpKind::kMin, Binary<OpKind::kMin>, CheckBinary},
    {OpKind::kMax, Binary<OpKind::kMax>, CheckBinary},
    {OpKind::kDiv, Div},
    {OpKind::kMod, Mod, CheckMod},
};

}  // namespace

std::span<const OpEmitter> ElementwiseEmitters() { return kEmitters; }

}  // namespace slipway::coreml_writer
