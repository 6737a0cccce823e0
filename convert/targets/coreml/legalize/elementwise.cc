#include "convert/ir/cast.h"
#include "convert/targets/coreml/legalize/builder.h"
#include "convert/targets/coreml/legalize/rules.h"

namespace slipway::coreml_writer {
namespace {

// Min, Max, Sum, Mean of any number → pairs.
absl::StatusOr<bool> ChainVariadic(Graph& graph, Node& node) {
  const bool pairwise = node.kind == OpKind::kMin || node.kind == OpKind::kMax;
  if (pairwise && node.inputs.size() == 2) return false;
  Builder to(graph, node);
  const OpKind pair = pairwise ? node.kind : OpKind::kAdd;
  Value* result = node.inputs[0];
  for (size_t i = 1; i < node.inputs.size(); ++i) result = to.Op(pair, {result, node.inputs[i]});
  if (node.kind == OpKind::kMean && node.inputs.size() > 1)
    result = to.Mul(result, to.Number(1.0 / static_cast<double>(node.inputs.size())));
  if (node.inputs.size() == 1) result = to.Op(OpKind::kIdentity, {result});
  return to.Replace(result);
}

// asinh(x) = sign(x) · log(|x| + √(x² + 1)); acosh(x) = log(x + √(x² − 1)).
absl::StatusOr<bool> InverseHyperbolic(Graph& graph, Node& node) {
  Value* x = node.inputs[0];
  Builder to(graph, node);
  const bool asinh = node.kind == OpKind::kAsinh;
  Value* size = asinh ? to.Op(OpKind::kAbs, {x}) : x;
  Value* root = to.Op(OpKind::kSqrt, {to.Add(to.Mul(x, x), to.Number(asinh ? 1 : -1))});
  Value* result = to.Op(OpKind::kLog, {to.Add(size, root)});
  return to.Replace(asinh ? to.Mul(to.Op(OpKind::kSign, {x}), result) : result);
}

// pow takes two of one type; the result has the base's.
absl::StatusOr<bool> PowInOneType(Graph& graph, Node& node) {
  const DataType base = node.inputs[0]->type;
  if (IsFloat(base) == IsFloat(node.inputs[1]->type)) return false;
  Builder to(graph, node);
  const auto widened = [&](Value* x) {
    return IsFloat(x->type) ? x : to.Op(OpKind::kCast, {x}, CastTo(DataType::kFloat32));
  };
  Value* power = to.Op(OpKind::kPow, {widened(node.inputs[0]), widened(node.inputs[1])});
  return to.Replace(IsFloat(base) ? power : to.Op(OpKind::kCast, {power}, CastTo(base)));
}

// fmod: x − y · (x / y cut off toward zero).
absl::StatusOr<bool> ModOfDividend(Graph& graph, Node& node) {
  const DataType type = node.inputs[0]->type;
  if (node.attributes.Int("fmod", 0) == 0) return false;
  Builder to(graph, node);
  const auto widened = [&](Value* x) {
    return IsFloat(type) ? x : to.Op(OpKind::kCast, {x}, CastTo(DataType::kFloat32));
  };
  Value* x = widened(node.inputs[0]);
  Value* y = widened(node.inputs[1]);
  Value* quotient = to.Div(x, y);
  Value* whole = to.Mul(to.Op(OpKind::kSign, {quotient}), to.Op(OpKind::kFloor, {to.Op(OpKind::kAbs, {quotient})}));
  Value* rest = to.Sub(x, to.Mul(y, whole));
  return to.Replace(IsFloat(type) ? rest : to.Op(OpKind::kCast, {rest}, CastTo(type)));
}

}  // namespace

void AddElementwiseRules(Rules& rules) {
  rules.push_back(std::make_unique<FunctionRule>(
      "chain-variadic", std::vector{OpKind::kSum, OpKind::kMean, OpKind::kMin, OpKind::kMax}, ChainVariadic));
  rules.push_back(std::make_unique<FunctionRule>("decompose-inverse-hyperbolic",
                                                 std::vector{OpKind::kAsinh, OpKind::kAcosh}, InverseHyperbolic));
  rules.push_back(std::make_unique<FunctionRule>("pow-in-one-type", std::vector{OpKind::kPow}, PowInOneType));
  rules.push_back(std::make_unique<FunctionRule>("mod-of-dividend", std::vector{OpKind::kMod}, ModOfDividend));
}

}  // namespace slipway::coreml_writer
