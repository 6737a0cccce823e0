// Activations, arithmetic, comparison, logic, Where, Cast: one result for each broadcast element.
#include "convert/ir/cast.h"
#include "convert/passes/shapes/infer.h"

namespace slipway::shapes {
namespace {

absl::Status InferUnary(Inference& in) {
  if (!in.HasShape(0)) return in.Unranked();
  return in.Set(0, in.type(0), in.shape(0));
}

absl::Status InferPredicate(Inference& in) {
  if (!in.HasShape(0)) return in.SetUnranked(0, DataType::kBool);
  return in.Set(0, DataType::kBool, in.shape(0));
}

absl::Status InferBroadcast(Inference& in, DataType type, size_t first_typed) {
  for (size_t i = first_typed + 1; i < in.node.inputs.size(); ++i) {
    if (in.type(i) != in.type(first_typed) && in.type(i) != DataType::kUndefined &&
        in.type(first_typed) != DataType::kUndefined) {
      return in.Error("operands of types {} and {}", Name(in.type(first_typed)), Name(in.type(i)));
    }
  }
  Shape out;
  for (size_t i = 0; i < in.node.inputs.size(); ++i) {
    if (!in.HasShape(i)) return in.SetUnranked(0, type);
    std::optional<Shape> broadcast = Broadcast(out, in.shape(i));
    if (!broadcast) return in.Error("shapes {} and {} do not broadcast", ToString(out), ToString(in.shape(i)));
    out = *std::move(broadcast);
  }
  return in.Set(0, type, std::move(out));
}

absl::Status InferArithmetic(Inference& in) { return InferBroadcast(in, in.type(0), 0); }
absl::Status InferComparison(Inference& in) { return InferBroadcast(in, DataType::kBool, 0); }
absl::Status InferWhere(Inference& in) { return InferBroadcast(in, in.type(1), 1); }
// The exponent may have another type than the base.
absl::Status InferPow(Inference& in) { return InferBroadcast(in, in.type(0), 1); }

// The slope broadcasts to the data, never the other way.
absl::Status InferPRelu(Inference& in) {
  if (in.HasShape(0) && in.HasShape(1)) {
    const std::optional<Shape> out = Broadcast(in.shape(0), in.shape(1));
    if (!out || out->size() != in.shape(0).size()) {
      return in.Error("slope of shape {} does not broadcast to {}", ToString(in.shape(1)), ToString(in.shape(0)));
    }
  }
  return InferUnary(in);
}

absl::Status InferCast(Inference& in) {
  const DataType type = CastType(in.node);
  if (type == DataType::kUndefined)
    return in.Error("no known type to cast to (code {})", in.node.attributes.Int("to", 0));
  if (!in.HasShape(0)) return in.SetUnranked(0, type);
  return in.Set(0, type, in.shape(0));
}

absl::Status InferQuantize(Inference& in) {
  const DataType type = in.Has(2) ? in.type(2) : DataType::kUInt8;
  if (!in.HasShape(0)) return in.SetUnranked(0, type);
  return in.Set(0, type, in.shape(0));
}

absl::Status InferDequantize(Inference& in) {
  if (!in.HasShape(0)) return in.SetUnranked(0, in.type(1));
  return in.Set(0, in.type(1), in.shape(0));
}

constexpr OpKind kUnary[] = {OpKind::kRelu,      OpKind::kLeakyRelu,  OpKind::kThresholdedRelu,
                             OpKind::kElu,       OpKind::kSelu,       OpKind::kCelu,
                             OpKind::kGelu,      OpKind::kSigmoid,    OpKind::kHardSigmoid,
                             OpKind::kHardSwish, OpKind::kSwish,      OpKind::kMish,
                             OpKind::kTanh,      OpKind::kSoftplus,   OpKind::kSoftsign,
                             OpKind::kClip,      OpKind::kSoftmax,    OpKind::kLogSoftmax,
                             OpKind::kHardmax,   OpKind::kShrink,     OpKind::kAbs,
                             OpKind::kNeg,       OpKind::kExp,        OpKind::kLog,
                             OpKind::kSqrt,      OpKind::kReciprocal, OpKind::kFloor,
                             OpKind::kCeil,      OpKind::kRound,      OpKind::kSign,
                             OpKind::kErf,       OpKind::kSin,        OpKind::kCos,
                             OpKind::kTan,       OpKind::kAsin,       OpKind::kAcos,
                             OpKind::kAtan,      OpKind::kSinh,       OpKind::kCosh,
                             OpKind::kAsinh,     OpKind::kAcosh,      OpKind::kAtanh,
                             OpKind::kNot,       OpKind::kBitwiseNot, OpKind::kIdentity};
constexpr OpKind kArithmetic[] = {OpKind::kAdd,        OpKind::kSub,      OpKind::kMul,        OpKind::kDiv,
                                  OpKind::kMod,        OpKind::kBitShift, OpKind::kBitwiseAnd, OpKind::kBitwiseOr,
                                  OpKind::kBitwiseXor, OpKind::kMin,      OpKind::kMax,        OpKind::kSum,
                                  OpKind::kMean,       OpKind::kAnd,      OpKind::kOr,         OpKind::kXor};
constexpr OpKind kComparison[] = {OpKind::kEqual, OpKind::kGreater, OpKind::kGreaterOrEqual, OpKind::kLess,
                                  OpKind::kLessOrEqual};

std::vector<Entry> MakeEntries() {
  std::vector<Entry> entries = {{OpKind::kWhere, InferWhere},
                                {OpKind::kPow, InferPow},
                                {OpKind::kPRelu, InferPRelu},
                                {OpKind::kCast, InferCast},
                                {OpKind::kIsNaN, InferPredicate},
                                {OpKind::kIsInf, InferPredicate},
                                {OpKind::kQuantizeLinear, InferQuantize},
                                {OpKind::kDequantizeLinear, InferDequantize}};
  for (OpKind kind : kUnary) entries.push_back({kind, InferUnary});
  for (OpKind kind : kArithmetic) entries.push_back({kind, InferArithmetic});
  for (OpKind kind : kComparison) entries.push_back({kind, InferComparison});
  return entries;
}

}  // namespace

std::span<const Entry> ElementwiseFunctions() {
  static const std::vector<Entry>& entries = *new std::vector<Entry>(MakeEntries());
  return entries;
}

}  // namespace slipway::shapes
