// The MIL operations that each op of a legalized graph becomes.
#pragma once

#include <span>

#include "absl/status/status.h"
#include "convert/ir/graph.h"
#include "convert/targets/coreml/program.h"
#include "convert/targets/target.h"

namespace slipway::coreml_writer {

struct OpEmitter {
  OpKind kind;
  // Writes a checked node.
  void (*emit)(const Node&, Program&);
  // Beyond what every op needs (known ranks ≤ 5, types that Core ML has); nullptr: nothing.
  absl::Status (*check)(const Node&) = nullptr;
};

// nullptr if Core ML has no way to say the kind.
const OpEmitter* FindEmitter(OpKind kind);
absl::Status CheckNode(const Node& node);

std::span<const OpEmitter> ConvEmitters();
std::span<const OpEmitter> PoolEmitters();
std::span<const OpEmitter> GemmEmitters();
std::span<const OpEmitter> NormalizationEmitters();
std::span<const OpEmitter> ActivationEmitters();
std::span<const OpEmitter> SoftmaxEmitters();
std::span<const OpEmitter> ElementwiseEmitters();
std::span<const OpEmitter> LogicEmitters();
std::span<const OpEmitter> ReduceEmitters();
std::span<const OpEmitter> ReshapeEmitters();
std::span<const OpEmitter> SliceEmitters();
std::span<const OpEmitter> GatherEmitters();
std::span<const OpEmitter> PadEmitters();
std::span<const OpEmitter> ResizeEmitters();
std::span<const OpEmitter> CastEmitters();
std::span<const OpEmitter> ShapeEmitters();

}  // namespace slipway::coreml_writer
