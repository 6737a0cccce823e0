#include <array>

#include "common/base/error.h"
#include "convert/targets/coreml/emit.h"

namespace slipway::coreml_writer {
namespace {

constexpr int64_t kMaxRank = 5;

absl::Status CheckValue(const Node& node, const Value& value) {
  if (MilType(value.type) == mil::UNUSED_TYPE) {
    return Unsupported(node,
                       fmt::format("'{}' is of {}, which an ML program has not", value.name, slipway::Name(value.type)),
                       "keep strings out of the model");
  }
  if (!value.shape)
    return Unsupported(node, fmt::format("the rank of '{}' is not known", value.name),
                       "give the input's size with --shape");
  if (value.rank() > kMaxRank) {
    return Unsupported(node, fmt::format("'{}' has {} axes", value.name, value.rank()), "Core ML takes at most 5");
  }
  for (const Dim& size : *value.shape) {
    if (size.IsKnown() && size.value() == 0)
      return Unsupported(node, fmt::format("'{}' is empty", value.name), "Core ML has no tensors without elements");
  }
  return absl::OkStatus();
}

}  // namespace

const OpEmitter* FindEmitter(OpKind kind) {
  static const auto table = [] {
    std::array<const OpEmitter*, static_cast<size_t>(OpKind::kCount)> rows{};
    for (const auto family :
         {ConvEmitters(), PoolEmitters(), GemmEmitters(), NormalizationEmitters(), ActivationEmitters(),
          SoftmaxEmitters(), ElementwiseEmitters(), LogicEmitters(), ReduceEmitters(), ReshapeEmitters(),
          SliceEmitters(), GatherEmitters(), PadEmitters(), ResizeEmitters(), CastEmitters(), ShapeEmitters()}) {
      for (const OpEmitter& row : family) rows[static_cast<size_t>(row.kind)] = &row;
    }
    return rows;
  }();
  return table[static_cast<size_t>(kind)];
}

absl::Status CheckNode(const Node& node) {
  const OpEmitter* emitter = FindEmitter(node.kind);
  if (node.kind == OpKind::kLSTM || node.kind == OpKind::kGRU || node.kind == OpKind::kRNN)
    return Unsupported(node,
                       "it is written step by step; a number of steps that is open or beyond 512, sequence lengths, "
                       "peepholes, clipping and computed weights cannot be said so",
                       "fix the number of steps with --shape");
  if (emitter == nullptr)
    return Unsupported(node, "an ML program has no such op",
                       "cut it off with --cut-outputs, or export the model without it");
  for (const Value* input : node.inputs) {
    // A left-out or empty optional operand is not written.
    if (input == nullptr || (input->constant && input->constant->size() == 0)) continue;
    RETURN_IF_ERROR(CheckValue(node, *input));
  }
  for (const Value* output : node.outputs) {
    if (output != nullptr) RETURN_IF_ERROR(CheckValue(node, *output));
  }
  return emitter->check == nullptr ? absl::OkStatus() : emitter->check(node);
}

}  // namespace slipway::coreml_writer
