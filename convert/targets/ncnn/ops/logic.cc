// Threshold, and arithmetic on truth values: blobs of 0 and 1.
#include "common/base/error.h"
#include "convert/ir/cast.h"
#include "convert/passes/match.h"
#include "convert/targets/ncnn/ops/ops.h"
#include "convert/targets/target.h"

namespace slipway::ncnn {
namespace {

absl::Status Always(const Node&) { return absl::OkStatus(); }

// Rule compose-logic leaves comparisons with one number.
absl::Status CheckGreater(const Node& node) {
  if (!ScalarOf(node.input(1)) || *node.input(0)->shape != *node.output()->shape)
    return Unsupported(node, "it does not compare with one number", "");
  return absl::OkStatus();
}
absl::Status EmitGreater(const Node& node, Emitter& emitter) {
  return emitter.Layer("Threshold", node, {node.input(0)}, {node.output()},
                       {{0, static_cast<float>(*ScalarOf(node.input(1)))}});
}

absl::Status EmitNot(const Node& node, Emitter& emitter) {
  constexpr int64_t kReversedSub = 7;
  return emitter.Layer("BinaryOp", node, {node.input(0)}, {node.output()},
                       {{0, kReversedSub}, {1, int64_t{1}}, {2, 1.0f}});
}

absl::Status CheckCast(const Node& node) {
  const DataType from = node.input(0)->type, to = CastType(node);
  const auto held = [](DataType type) {
    return type == DataType::kBool || type == DataType::kFloat32 || IsInteger(type);
  };
  // Of whole numbers a blob holds the value; one that is cut to fewer bits than a blob's 24 would have to wrap.
  const bool cut =
      IsInteger(from) && (to == DataType::kBool || (IsInteger(to) && SizeOf(to) < SizeOf(from) && SizeOf(to) < 4));
  if (!held(from) || !held(to) || to == DataType::kBool || cut) {
    return Unsupported(node, fmt::format("a cast from {} to {}", Name(from), Name(to)), "NCNN's blobs are float32");
  }
  return absl::OkStatus();
}
absl::Status EmitCast(const Node& node, Emitter& emitter) {
  constexpr int64_t kTrunc = 19;
  if (node.input(0)->type == DataType::kFloat32 && IsInteger(node.output()->type))
    return emitter.Layer("UnaryOp", node, {node.input(0)}, {node.output()}, {{0, kTrunc}});
  return emitter.Layer("Noop", node, {node.input(0)}, {node.output()});
}

}  // namespace

std::span<const OpEmitter> LogicOps() {
  static constexpr OpEmitter kOps[] = {{OpKind::kGreater, CheckGreater, EmitGreater},
                                       {OpKind::kNot, Always, EmitNot},
                                       {OpKind::kCast, CheckCast, EmitCast}};
  return kOps;
}

}  // namespace slipway::ncnn
