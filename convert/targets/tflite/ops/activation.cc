// Activations and unary arithmetic that are one operator.
#include "convert/targets/tflite/ops/ops.h"

namespace slipway::tflite {
namespace {

using schema::BuiltinOperator;

struct Unary {
  OpKind kind;
  BuiltinOperator op;
};
constexpr Unary kUnary[] = {
    {OpKind::kRelu, BuiltinOperator::RELU},
    {OpKind::kSigmoid, BuiltinOperator::LOGISTIC},
    {OpKind::kTanh, BuiltinOperator::TANH},
    {OpKind::kElu, BuiltinOperator::ELU},
    {OpKind::kHardSwish, BuiltinOperator::HARD_SWISH},
    {OpKind::kAbs, BuiltinOperator::ABS},
    {OpKind::kNeg, BuiltinOperator::NEG},
    {OpKind::kExp, BuiltinOperator::EXP},
    {OpKind::kLog, BuiltinOperator::LOG},
    {OpKind::kSqrt, BuiltinOperator::SQRT},
    {OpKind::kFloor, BuiltinOperator::FLOOR},
    {OpKind::kCeil, BuiltinOperator::CEIL},
    {OpKind::kRound, BuiltinOperator::ROUND},
    {OpKind::kSin, BuiltinOperator::SIN},
    {OpKind::kCos, BuiltinOperator::COS},
    {OpKind::kSign, BuiltinOperator::SIGN},
    {OpKind::kNot, BuiltinOperator::LOGICAL_NOT},
    {OpKind::kLogSoftmax, BuiltinOperator::LOG_SOFTMAX},
};

absl::Status CheckUnary(const Node& node) {
  const DataType type = node.input(0)->type;
  if (node.kind == OpKind::kNot)
    return type == DataType::kBool ? absl::OkStatus() : Unsupported(node, "a Not of numbers", "");
  const bool integers = node.kind == OpKind::kAbs || node.kind == OpKind::kNeg || node.kind == OpKind::kSign;
  if (type == DataType::kFloat32 || (integers && type == DataType::kInt32)) return absl::OkStatus();
  return Unsupported(node, fmt::format("data of type {}", Name(type)), "the operator takes float32");
}

BuiltinOperator OperatorOf(OpKind kind) {
  for (const Unary& unary : kUnary) {
    if (unary.kind == kind) return unary.op;
  }
  return BuiltinOperator::CUSTOM;
}

void EmitUnary(const Node& node, ModelBuilder& out) {
  out.Op(OperatorOf(node.kind), {out.Value(node.input(0))}, {out.Value(node.output())});
}

// Clips that are an operator of their own; others are MINIMUM and MAXIMUM after rule clip-to-min-max.
std::optional<BuiltinOperator> ClipOperator(const Node& node) {
  if (node.constant(1) == nullptr || node.constant(2) == nullptr || node.input(0)->type != DataType::kFloat32)
    return std::nullopt;
  const double low = node.constant(1)->ToDoubles()[0], high = node.constant(2)->ToDoubles()[0];
  if (low == 0 && high == 6) return BuiltinOperator::RELU6;
  if (low == -1 && high == 1) return BuiltinOperator::RELU_N1_TO_1;
  if (low == 0 && high == 1) return BuiltinOperator::RELU_0_TO_1;
  return std::nullopt;
}

absl::Status CheckClip(const Node& node) {
  return ClipOperator(node) ? absl::OkStatus()
                            : Unsupported(node, "bounds that no operator has", "rule clip-to-min-max takes them");
}
void EmitClip(const Node& node, ModelBuilder& out) {
  out.Op(*ClipOperator(node), {out.Value(node.input(0))}, {out.Value(node.output())});
}

absl::Status CheckFloat(const Node& node) {
  return node.input(0)->type == DataType::kFloat32
             ? absl::OkStatus()
             : Unsupported(node, fmt::format("data of type {}", Name(node.input(0)->type)), "");
}

void EmitLeakyRelu(const Node& node, ModelBuilder& out) {
  const float alpha = node.attributes.Float("alpha", 0.01f);
  out.OpWith<schema::LeakyReluOptions>(BuiltinOperator::LEAKY_RELU, {out.Value(node.input(0))},
                                       {out.Value(node.output())}, 1, [=](auto& options) { options.add_alpha(alpha); });
}

void EmitGelu(const Node& node, ModelBuilder& out) {
  const bool tanh = node.attributes.String("approximate", "none") == "tanh";
  out.OpWith<schema::GeluOptions>(BuiltinOperator::GELU, {out.Value(node.input(0))}, {out.Value(node.output())}, 1,
                                  [=](auto& options) { options.add_approximate(tanh); });
}

// The slope's shape is the data's without its first axis, each axis whole or 1.
absl::Status CheckPRelu(const Node& node) {
  RETURN_IF_ERROR(CheckFloat(node));
  RETURN_IF_ERROR(CheckConstant(node, 1, "a slope"));
  if (node.input(1)->rank() > node.input(0)->rank())
    return Unsupported(node, "a slope of a higher rank than its data", "");
  return absl::OkStatus();
}

void EmitPRelu(const Node& node, ModelBuilder& out) {
  const Tensor& slope = *node.constant(1);
  std::vector<int64_t> shape = slope.shape();
  const size_t wanted = static_cast<size_t>(node.input(0)->rank()) - 1;
  if (shape.size() > wanted && shape[0] == 1) shape.erase(shape.begin());
  if (shape.size() < wanted) shape.insert(shape.begin(), wanted - shape.size(), 1);
  out.Op(BuiltinOperator::PRELU, {out.Value(node.input(0)), out.Constant(node.input(1)->name, slope.Reshaped(shape))},
         {out.Value(node.output())});
}

absl::Status CheckSoftmax(const Node& node) {
  RETURN_IF_ERROR(CheckFloat(node));
  RETURN_IF_ERROR(CheckRank(node, node.input(0), 4));
  if (AxisOf(node, node.input(0), -1) != node.input(0)->rank() - 1)
    return Unsupported(node, "an axis that is not the last", "rule softmax-last-axis moves it");
  return absl::OkStatus();
}

void EmitSoftmax(const Node& node, ModelBuilder& out) {
  if (node.kind == OpKind::kLogSoftmax) return EmitUnary(node, out);
  out.OpWith<schema::SoftmaxOptions>(BuiltinOperator::SOFTMAX, {out.Value(node.input(0))}, {out.Value(node.output())},
                                     1, [](auto& options) { options.add_beta(1); });
}

absl::Status CheckAtan(const Node& node) { return CheckFloat(node); }

// ATAN2 of x and 1, which it does not broadcast: every x equals itself.
void EmitAtan(const Node& node, ModelBuilder& out) {
  const Shape shape = node.input(0)->shape.value_or(Shape{});
  const int32_t x = out.Value(node.input(0));
  const int32_t same = out.Intermediate(node.output()->name + "/same", DataType::kBool, shape);
  const int32_t one = out.Intermediate(node.output()->name + "/one", DataType::kFloat32, shape);
  out.OpWith<schema::EqualOptions>(BuiltinOperator::EQUAL, {x, x}, {same}, 1, [](auto&) {});
  out.OpWith<schema::CastOptions>(BuiltinOperator::CAST, {same}, {one}, 1, [](auto& options) {
    options.add_in_data_type(schema::TensorType::BOOL);
    options.add_out_data_type(schema::TensorType::FLOAT32);
  });
  out.Op(BuiltinOperator::ATAN2, {x, one}, {out.Value(node.output())});
}

std::vector<OpEntry> MakeEntries() {
  std::vector<OpEntry> entries;
  for (const Unary& unary : kUnary) {
    if (unary.kind != OpKind::kLogSoftmax) entries.push_back({unary.kind, CheckUnary, EmitUnary});
  }
  entries.push_back({OpKind::kAtan, CheckAtan, EmitAtan});
  entries.push_back({OpKind::kClip, CheckClip, EmitClip});
  entries.push_back({OpKind::kLeakyRelu, CheckFloat, EmitLeakyRelu});
  entries.push_back({OpKind::kGelu, CheckFloat, EmitGelu});
  entries.push_back({OpKind::kPRelu, CheckPRelu, EmitPRelu});
  entries.push_back({OpKind::kSoftmax, CheckSoftmax, EmitSoftmax});
  entries.push_back({OpKind::kLogSoftmax, CheckSoftmax, EmitSoftmax});
  return entries;
}

}  // namespace

std::span<const OpEntry> ActivationOps() {
  static const std::vector<OpEntry>& entries = *new std::vector<OpEntry>(MakeEntries());
  return entries;
}

}  // namespace slipway::tflite
