// RESHAPE, SQUEEZE, EXPAND_DIMS, TRANSPOSE, BROADCAST_TO, TILE, and what is a RESHAPE in TFLite: Identity, Flatten, Squeeze, Unsqueeze.
#include <algorithm>

#include "convert/passes/match.h"
#include "convert/targets/tflite/ops/ops.h"

namespace slipway::tflite {
namespace {

using schema::BuiltinOperator;

// Sizes of the result as a constant: RESHAPE knows one -1, and no 0 for "copy".
std::optional<std::vector<int64_t>> ConstantTarget(const Node& node) {
  if (!node.output()->shape) return std::nullopt;
  std::vector<int64_t> target;
  int unknown = 0;
  bool empty = false;
  for (const Dim& size : *node.output()->shape) {
    unknown += size.IsKnown() ? 0 : 1;
    empty |= size == Dim(0);
    target.push_back(size.IsKnown() ? size.value() : -1);
  }
  if (unknown > 1 || (unknown == 1 && empty)) return std::nullopt;
  return target;
}

// The axis of 1 that a Squeeze or Unsqueeze takes away or adds; nullopt for several.
std::optional<int64_t> OneAxis(const Node& node) {
  if ((node.kind != OpKind::kSqueeze && node.kind != OpKind::kUnsqueeze) || node.constant(1) == nullptr ||
      node.constant(1)->size() != 1)
    return std::nullopt;
  const int64_t axis = node.constant(1)->ToInt64s()[0];
  const int64_t rank = std::max(node.input(0)->rank(), node.output()->rank());
  return axis < 0 ? axis + rank : axis;
}

absl::Status CheckReshape(const Node& node) {
  if (node.output()->rank() < 0) return Unsupported(node, "a result of unknown rank", "");
  if (ConstantTarget(node)) return absl::OkStatus();
  if (node.kind == OpKind::kIdentity) return absl::OkStatus();
  if (node.kind == OpKind::kReshape && node.constant(1) == nullptr && node.input(1)->type == DataType::kInt32)
    return absl::OkStatus();
  if (OneAxis(node)) return absl::OkStatus();
  return Unsupported(node,
                     fmt::format("a result of shape {} with several unknown sizes", ToString(*node.output()->shape)),
                     "rule runtime-shape computes it");
}

void EmitReshape(const Node& node, ModelBuilder& out) {
  const std::optional<std::vector<int64_t>> target = ConstantTarget(node);
  if (!target && node.kind == OpKind::kIdentity) {
    // A multiple of one: RESHAPE would need the sizes.
    const std::vector<int64_t> ones(static_cast<size_t>(node.output()->rank()), 1);
    out.Op(BuiltinOperator::TILE, {out.Value(node.input(0)), out.Ints(node.output()->name + "/ones", ones)},
           {out.Value(node.output())});
    return;
  }
  if (const auto axis = OneAxis(node); !target && axis) {
    const int32_t data = out.Value(node.input(0)), result = out.Value(node.output());
    return node.kind == OpKind::kSqueeze ? out.Squeeze(data, *axis, result) : out.ExpandDims(data, *axis, result);
  }
  const int32_t shape = target ? out.Ints(node.output()->name + "/shape", *target) : out.Value(node.input(1));
  out.Op(BuiltinOperator::RESHAPE, {out.Value(node.input(0)), shape}, {out.Value(node.output())}, 1,
         schema::BuiltinOptions::ReshapeOptions, [target](flatbuffers::FlatBufferBuilder& buffer) {
           std::vector<int32_t> sizes;
           if (target) sizes.assign(target->begin(), target->end());
           return schema::CreateReshapeOptions(buffer, target ? buffer.CreateVector(sizes) : 0).Union();
         });
}

absl::Status CheckTranspose(const Node& node) { return CheckRank(node, node.input(0), 6); }

void EmitTranspose(const Node& node, ModelBuilder& out) {
  const int version = node.input(0)->rank() > 5 ? 6 : node.input(0)->rank() > 4 ? 4 : 1;
  out.OpWith<schema::TransposeOptions>(
      BuiltinOperator::TRANSPOSE, {out.Value(node.input(0)), out.Ints(node.output()->name + "/perm", PermOf(node))},
      {out.Value(node.output())}, version, [](auto&) {});
}

absl::Status CheckPerAxis(const Node& node) {
  if (node.kind == OpKind::kExpand && node.output()->shape && StaticShape(*node.output()->shape))
    return CheckRank(node, node.output(), 8);
  if (node.kind == OpKind::kExpand)
    return Unsupported(node, "a result whose sizes are not fixed", "fix the input's sizes with --shape");
  return absl::OkStatus();
}

void EmitExpand(const Node& node, ModelBuilder& out) {
  out.OpWith<schema::BroadcastToOptions>(
      BuiltinOperator::BROADCAST_TO,
      {out.Value(node.input(0)), out.Ints(node.output()->name + "/shape", *StaticShape(*node.output()->shape))},
      {out.Value(node.output())}, 2, [](auto&) {});
}

void EmitTile(const Node& node, ModelBuilder& out) {
  out.Op(BuiltinOperator::TILE,
         {out.Value(node.input(0)), node.constant(1) == nullptr
                                        ? out.Value(node.input(1))
                                        : out.Ints(node.output()->name + "/repeats", node.constant(1)->ToInt64s())},
         {out.Value(node.output())});
}

constexpr OpEntry kEntries[] = {
    {OpKind::kReshape, CheckReshape, EmitReshape},  {OpKind::kFlatten, CheckReshape, EmitReshape},
    {OpKind::kSqueeze, CheckReshape, EmitReshape},  {OpKind::kUnsqueeze, CheckReshape, EmitReshape},
    {OpKind::kIdentity, CheckReshape, EmitReshape}, {OpKind::kTranspose, CheckTranspose, EmitTranspose},
    {OpKind::kExpand, CheckPerAxis, EmitExpand},    {OpKind::kTile, CheckPerAxis, EmitTile},
};

}  // namespace

std::span<const OpEntry> ReshapeOps() { return kEntries; }

}  // namespace slipway::tflite
