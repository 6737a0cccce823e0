// BinaryOp: both operands of the output's rank, so that NCNN's broadcasting, which aligns lower ranks its own way, has nothing to align.
#include "common/base/error.h"
#include "convert/targets/ncnn/ops/ops.h"
#include "convert/targets/target.h"

namespace slipway::ncnn {
namespace {

// op_type of x ∘ y, and of y ∘ x. Truth values are 0 and 1: And is their product, Or their maximum.
struct Operation {
  OpKind kind;
  int64_t type, reversed;
};
constexpr Operation kOperations[] = {
    {OpKind::kAdd, 0, 0}, {OpKind::kSub, 1, 7}, {OpKind::kMul, 2, 2}, {OpKind::kDiv, 3, 8}, {OpKind::kMax, 4, 4},
    {OpKind::kMin, 5, 5}, {OpKind::kPow, 6, 9}, {OpKind::kAnd, 2, 2}, {OpKind::kOr, 4, 4},
};

const Operation& OperationOf(OpKind kind) {
  for (const Operation& operation : kOperations) {
    if (operation.kind == kind) return operation;
  }
  return kOperations[0];
}

Shape Aligned(const Value& value, const Value& output) {
  Shape shape = *value.shape;
  shape.insert(shape.begin(), static_cast<size_t>(std::max<int64_t>(output.rank() - value.rank(), 0)), Dim(1));
  if (shape.empty()) shape.push_back(1);
  if (DropsBatch(output)) shape.erase(shape.begin());
  return shape;
}

absl::Status Check(const Node& node) {
  if (node.inputs.size() != 2)
    return Unsupported(node, fmt::format("{} operands", node.inputs.size()), "NCNN's BinaryOp takes two");
  return absl::OkStatus();
}

absl::Status Emit(const Node& node, Emitter& emitter) {
  const Operation& operation = OperationOf(node.kind);
  for (const size_t side : {1, 0}) {
    const Tensor* scalar = node.constant(side);
    const Value* other = node.input(1 - side);
    if (scalar == nullptr || scalar->size() != 1 || other->IsConstant() || *other->shape != *node.output()->shape)
      continue;
    return emitter.Layer(
        "BinaryOp", node, {other}, {node.output()},
        {{0, side == 1 ? operation.type : operation.reversed}, {1, int64_t{1}}, {2, scalar->ToFloats()[0]}});
  }
  return emitter.Layer("BinaryOp", node,
                       {{node.input(0), Aligned(*node.input(0), *node.output())},
                        {node.input(1), Aligned(*node.input(1), *node.output())}},
                       {node.output()}, {{0, operation.type}});
}

}  // namespace

std::span<const OpEmitter> ElementwiseOps() {
  static constexpr OpEmitter kOps[] = {
      {OpKind::kAdd, Check, Emit}, {OpKind::kSub, Check, Emit}, {OpKind::kMul, Check, Emit},
      {OpKind::kDiv, Check, Emit}, {OpKind::kMax, Check, Emit}, {OpKind::kMin, Check, Emit},
      {OpKind::kPow, Check, Emit}, {OpKind::kAnd, Check, Emit}, {OpKind::kOr, Check, Emit},
  };
  return kOps;
}

}  // namespace slipway::ncnn
