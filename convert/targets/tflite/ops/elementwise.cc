// Arithmetic, comparison, logic with broadcasting; SELECT_V2, CAST.
#include <algorithm>

#include "convert/targets/tflite/ops/ops.h"

namespace slipway::tflite {
namespace {

using schema::BuiltinOperator;

struct Binary {
  OpKind kind;
  BuiltinOperator op;
  bool integers;  // int32 and int64 too
};
constexpr Binary kBinary[] = {
    {OpKind::kAdd, BuiltinOperator::ADD, true},
    {OpKind::kSub, BuiltinOperator::SUB, true},
    {OpKind::kMul, BuiltinOperator::MUL, true},
    {OpKind::kDiv, BuiltinOperator::DIV, true},
    {OpKind::kMin, BuiltinOperator::MINIMUM, true},
    {OpKind::kMax, BuiltinOperator::MAXIMUM, true},
    {OpKind::kPow, BuiltinOperator::POW, true},
    {OpKind::kMod, BuiltinOperator::FLOOR_MOD, true},
    {OpKind::kEqual, BuiltinOperator::EQUAL, true},
    {OpKind::kGreater, BuiltinOperator::GREATER, true},
    {OpKind::kGreaterOrEqual, BuiltinOperator::GREATER_EQUAL, true},
    {OpKind::kLess, BuiltinOperator::LESS, true},
    {OpKind::kLessOrEqual, BuiltinOperator::LESS_EQUAL, true},
    {OpKind::kAnd, BuiltinOperator::LOGICAL_AND, false},
    {OpKind::kOr, BuiltinOperator::LOGICAL_OR, false},
    {OpKind::kXor, BuiltinOperator::NOT_EQUAL, false},
};

const Binary& BinaryOf(OpKind kind) {
  return *std::find_if(std::begin(kBinary), std::end(kBinary),
                       [&](const Binary& binary) { return binary.kind == kind; });
}

absl::Status CheckBinary(const Node& node) {
  if (node.inputs.size() != 2)
    return Unsupported(node, fmt::format("{} operands", node.inputs.size()), "rule chain-variadic makes pairs");
  const DataType type = node.input(0)->type;
  const bool logic = node.kind == OpKind::kAnd || node.kind == OpKind::kOr || node.kind == OpKind::kXor;
  const bool whole =
      type == DataType::kInt32 || (type == DataType::kInt64 && node.kind != OpKind::kDiv && node.kind != OpKind::kPow);
  if (logic ? type != DataType::kBool
            : type != DataType::kFloat32 && !whole && !(node.kind == OpKind::kEqual && type == DataType::kBool)) {
    return Unsupported(node, fmt::format("operands of type {}", Name(type)), "");
  }
  if (node.kind == OpKind::kMod && node.attributes.Int("fmod", 0) != 0)
    return Unsupported(node, "a remainder with the dividend's sign", "");
  if (node.input(1)->type != type) return Unsupported(node, "operands of two types", "");
  if (!FusedActivation(node)) return Unsupported(node, "an activation that no operator fuses", "");
  const bool wide = node.kind == OpKind::kAdd || node.kind == OpKind::kSub || node.kind == OpKind::kMul;
  for (const Value* input : node.inputs)
    RETURN_IF_ERROR(CheckRank(node, input, wide || *input->shape == *node.output()->shape ? 6 : 5));
  return absl::OkStatus();
}

void EmitBinary(const Node& node, ModelBuilder& out) {
  const std::vector<int32_t> inputs = {out.Value(node.input(0)), out.Value(node.input(1))},
                             outputs = {out.Value(node.output())};
  const schema::ActivationFunctionType activation = *FusedActivation(node);
  const auto fill = [activation](auto& options) { options.add_fused_activation_function(activation); };
  const int version = node.input(0)->type == DataType::kInt64 && node.kind == OpKind::kAdd ? 4 : 1;
  switch (node.kind) {
    case OpKind::kAdd:
      return out.OpWith<schema::AddOptions>(BuiltinOperator::ADD, inputs, outputs, version, fill);
    case OpKind::kSub:
      return out.OpWith<schema::SubOptions>(BuiltinOperator::SUB, inputs, outputs, 1, fill);
    case OpKind::kMul:
      return out.OpWith<schema::MulOptions>(BuiltinOperator::MUL, inputs, outputs, 1, fill);
    case OpKind::kDiv:
      return out.OpWith<schema::DivOptions>(BuiltinOperator::DIV, inputs, outputs, 1, fill);
    default:
      return out.Op(BinaryOf(node.kind).op, inputs, outputs);
  }
}

absl::Status CheckWhere(const Node& node) {
  for (const Value* input : node.inputs) RETURN_IF_ERROR(CheckRank(node, input, 5));
  return absl::OkStatus();
}

void EmitWhere(const Node& node, ModelBuilder& out) {
  out.OpWith<schema::SelectV2Options>(BuiltinOperator::SELECT_V2,
                                      {out.Value(node.input(0)), out.Value(node.input(1)), out.Value(node.input(2))},
                                      {out.Value(node.output())}, 1, [](auto&) {});
}

absl::Status CheckCast(const Node& node) {
  for (const Value* value : {node.input(0), node.output()}) {
    if (!TypeOf(value->type)) return Unsupported(node, fmt::format("type {}", Name(value->type)), "");
  }
  return absl::OkStatus();
}

void EmitCast(const Node& node, ModelBuilder& out) {
  const schema::TensorType from = *TypeOf(node.input(0)->type), to = *TypeOf(node.output()->type);
  out.OpWith<schema::CastOptions>(BuiltinOperator::CAST, {out.Value(node.input(0))}, {out.Value(node.output())}, 1,
                                  [=](auto& options) {
                                    options.add_in_data_type(from);
                                    options.add_out_data_type(to);
                                  });
}

std::vector<OpEntry> MakeEntries() {
  std::vector<OpEntry> entries = {{OpKind::kWhere, CheckWhere, EmitWhere}, {OpKind::kCast, CheckCast, EmitCast}};
  for (const Binary& binary : kBinary) entries.push_back({binary.kind, CheckBinary, EmitBinary});
  return entries;
}

}  // namespace

std::span<const OpEntry> ElementwiseOps() {
  static const std::vector<OpEntry>& entries = *new std::vector<OpEntry>(MakeEntries());
  return entries;
}

}  // namespace slipway::tflite
