// Ops of one result an element: any permutation passes.
#include <algorithm>

#include "common/base/error.h"
#include "convert/passes/layout/layout.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"

namespace slipway::layout {
namespace {

absl::StatusOr<bool> SinkUnary(Graph& graph, Node& node, const std::vector<int64_t>& perm) {
  graph.SetInput(&node, 0, node.input(0)->producer->input(0));
  RETURN_IF_ERROR(InferNode(node));
  RETURN_IF_ERROR(TransposeAfter(graph, node, 0, perm));
  return true;
}

// Whether moving axes by `perm` keeps the order of those that are not of size 1: no element moves.
bool KeepsOrder(const Shape& shape, const std::vector<int64_t>& perm) {
  int64_t last = -1;
  for (int64_t axis : perm) {
    if (shape[axis] == Dim(1)) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

Shape Transposed(const Shape& shape, const std::vector<int64_t>& perm) {
  Shape transposed;
  for (int64_t axis : perm) transposed.push_back(shape[axis]);
  return transposed;
}

bool CanReshape(const Shape& shape, const std::vector<int64_t>& perm) {
  return KeepsOrder(shape, perm) && ReshapeTarget(shape, Transposed(shape, perm)).has_value();
}

// Whether an operand can be had in x's order without a new Transpose of data.
bool IsFree(const Value* value, size_t rank, const std::vector<int64_t>& perm) {
  if (value == nullptr || value->IsConstant()) return true;
  if (!value->shape) return false;
  const bool ones =
      std::all_of(value->shape->begin(), value->shape->end(), [](const Dim& size) { return size == Dim(1); });
  if (ones) return true;
  if (value->shape->size() != rank) return false;
  if (const Node* producer = ProducerOf(value, OpKind::kTranspose); producer != nullptr && PermOf(*producer) == perm)
    return true;
  const std::vector<int64_t> inverse = Inverse(perm);
  return (IsToChannelsFirst(perm) && HasTransposedReader(value, inverse)) || CanReshape(*value->shape, inverse);
}

// An operand in x's order. Of a lower rank, it broadcasts from the last axes: leading axes of size 1 are written out.
absl::StatusOr<Value*> Operand(Graph& graph, Value* value, const std::vector<int64_t>& perm, Node* before) {
  if (value->shape->empty() || (value->IsConstant() && value->constant->size() == 1)) {
    if (static_cast<size_t>(value->rank()) <= perm.size()) return value;  // of ones: broadcasts alike in any order
  }
  if (static_cast<size_t>(value->rank()) < perm.size()) {
    std::vector<int64_t> shape(perm.size() - value->shape->size(), 1);
    if (!value->IsConstant()) return value;  // of ones
    shape.insert(shape.end(), value->constant->shape().begin(), value->constant->shape().end());
    value = graph.AddConstant(value->name + "_widened", value->constant->Reshaped(std::move(shape)));
  }
  if (value->IsConstant())
    return graph.AddConstant(value->name + "_transposed", Transpose(*value->constant, Inverse(perm)));
  if (const Node* producer = ProducerOf(value, OpKind::kTranspose); producer == nullptr || PermOf(*producer) != perm) {
    const std::vector<int64_t> inverse = Inverse(perm);
    if (CanReshape(*value->shape, inverse)) {
      Value* target = graph.AddConstant(
          value->name + "_shape", Tensor::Int64s(*ReshapeTarget(*value->shape, Transposed(*value->shape, inverse))));
      ASSIGN_OR_RETURN(Node* const reshape,
                       AddInferred(graph, OpKind::kReshape, {value, target}, value->name + "_reshaped", {}, before));
      return reshape->output();
    }
  }
  return TransposedBefore(graph, value, Inverse(perm), before);
}

absl::StatusOr<bool> SinkBroadcast(Graph& graph, Node& node, const std::vector<int64_t>& perm) {
  const Value* output = node.output();
  if (output->rank() != static_cast<int64_t>(perm.size())) return false;
  for (const Value* input : node.inputs) {
    if (!IsFree(input, perm.size(), perm)) return false;
  }
  const std::vector<Value*> inputs = node.inputs;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i] == nullptr) continue;
    ASSIGN_OR_RETURN(Value* const operand, Operand(graph, inputs[i], perm, &node));
    graph.SetInput(&node, i, operand);
  }
  RETURN_IF_ERROR(InferNode(node));
  RETURN_IF_ERROR(TransposeAfter(graph, node, 0, perm));
  return true;
}

constexpr OpKind kUnary[] = {OpKind::kRelu,       OpKind::kLeakyRelu,  OpKind::kThresholdedRelu,
                             OpKind::kElu,        OpKind::kSelu,       OpKind::kCelu,
                             OpKind::kGelu,       OpKind::kSigmoid,    OpKind::kHardSigmoid,
                             OpKind::kHardSwish,  OpKind::kSwish,      OpKind::kMish,
                             OpKind::kTanh,       OpKind::kSoftplus,   OpKind::kSoftsign,
                             OpKind::kClip,       OpKind::kShrink,     OpKind::kAbs,
                             OpKind::kNeg,        OpKind::kExp,        OpKind::kLog,
                             OpKind::kSqrt,       OpKind::kReciprocal, OpKind::kFloor,
                             OpKind::kCeil,       OpKind::kRound,      OpKind::kSign,
                             OpKind::kErf,        OpKind::kSin,        OpKind::kCos,
                             OpKind::kTan,        OpKind::kAsin,       OpKind::kAcos,
                             OpKind::kAtan,       OpKind::kSinh,       OpKind::kCosh,
                             OpKind::kAsinh,      OpKind::kAcosh,      OpKind::kAtanh,
                             OpKind::kIsNaN,      OpKind::kIsInf,      OpKind::kNot,
                             OpKind::kBitwiseNot, OpKind::kIdentity,   OpKind::kCast};
constexpr OpKind kBroadcast[] = {OpKind::kAdd,
                                 OpKind::kSub,
                                 OpKind::kMul,
                                 OpKind::kDiv,
                                 OpKind::kPow,
                                 OpKind::kMod,
                                 OpKind::kBitShift,
                                 OpKind::kMin,
                                 OpKind::kMax,
                                 OpKind::kSum,
                                 OpKind::kMean,
                                 OpKind::kEqual,
                                 OpKind::kGreater,
                                 OpKind::kBitwiseAnd,
                                 OpKind::kBitwiseOr,
                                 OpKind::kBitwiseXor,
                                 OpKind::kGreaterOrEqual,
                                 OpKind::kLess,
                                 OpKind::kLessOrEqual,
                                 OpKind::kAnd,
                                 OpKind::kOr,
                                 OpKind::kXor,
                                 OpKind::kWhere,
                                 OpKind::kPRelu};

std::vector<SinkEntry> MakeEntries() {
  std::vector<SinkEntry> entries;
  for (OpKind kind : kUnary) entries.push_back({kind, SinkUnary});
  for (OpKind kind : kBroadcast) entries.push_back({kind, SinkBroadcast});
  return entries;
}

}  // namespace

std::span<const SinkEntry> ElementwiseSinks() {
  static const std::vector<SinkEntry>& entries = *new std::vector<SinkEntry>(MakeEntries());
  return entries;
}

}  // namespace slipway::layout
