#include "common/base/error.h"
#include "convert/targets/coreml/emit.h"

namespace slipway::coreml_writer {
namespace {

struct TypeOf {
  OpKind kind;
  std::string_view type;
};
constexpr TypeOf kTypes[] = {
    {OpKind::kEqual, "equal"},   {OpKind::kGreater, "greater"},        {OpKind::kGreaterOrEqual, "greater_equal"},
    {OpKind::kLess, "less"},     {OpKind::kLessOrEqual, "less_equal"}, {OpKind::kAnd, "logical_and"},
    {OpKind::kOr, "logical_or"}, {OpKind::kXor, "logical_xor"},
};

constexpr std::string_view MilTypeOf(OpKind kind) {
  for (const TypeOf& row : kTypes) {
    if (row.kind == kind) return row.type;
  }
  return "";
}

// Comparisons take no booleans.
std::string Comparable(const Node& node, Program& out, size_t i, std::string_view type) {
  std::string operand = out.Operand(node, i);
  if (node.inputs[i]->type != DataType::kBool || type.starts_with("logical")) return operand;
  return out.Helper(node, "cast", {{"x", {operand}}, {"dtype", {out.Text("int32")}}}, mil::INT32,
                    *node.inputs[i]->shape);
}

template <OpKind kind>
void Binary(const Node& node, Program& out) {
  constexpr std::string_view type = MilTypeOf(kind);
  out.Emit(node, type, {{"x", {Comparable(node, out, 0, type)}}, {"y", {Comparable(node, out, 1, type)}}});
}

void Not(const Node& node, Program& out) { out.Emit(node, "logical_not", {{"x", {out.Operand(node, 0)}}}); }

void IsNan(const Node& node, Program& out) {
  const std::string x = out.Operand(node, 0);
  out.Emit(node, "not_equal", {{"x", {x}}, {"y", {x}}});
}

void Where(const Node& node, Program& out) {
  out.Emit(node, "select",
           {{"cond", {out.Operand(node, 0)}}, {"a", {out.Operand(node, 1)}}, {"b", {out.Operand(node, 2)}}});
}

constexpr OpEmitter kEmitters[] = {
    {OpKind::kEqual, Binary<OpKind::kEqual>},
    {OpKind::kGreater, Binary<OpKind::kGreater>},
    {OpKind::kGreaterOrEqual, Binary<OpKind::kGreaterOrEqual>},
    {OpKind::kLess, Binary<OpKind::kLess>},
    {OpKind::kLessOrEqual, Binary<OpKind::kLessOrEqual>},
    {OpKind::kAnd, Binary<OpKind::kAnd>},
    {OpKind::kOr, Binary<OpKind::kOr>},
    {OpKind::kXor, Binary<OpKind::kXor>},
    {OpKind::kNot, Not},
    {OpKind::kIsNaN, IsNan},
    {OpKind::kWhere, Where},
};

}  // namespace

std::span<const OpEmitter> LogicEmitters() { return kEmitters; }

}  // namespace slipway::coreml_writer
