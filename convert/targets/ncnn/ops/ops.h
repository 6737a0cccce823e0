// The op table of NCNN: which IR ops have an emitter, family by family (one file each in this folder).
#pragma once

#include <span>

#include "absl/status/status.h"
#include "convert/targets/ncnn/emitter.h"

namespace slipway::ncnn {

struct OpEmitter {
  OpKind kind;
  // Whether Emit can write the node. Types, ranks and shapes in general are checked before (CheckBlobs).
  absl::Status (*check)(const Node& node);
  absl::Status (*emit)(const Node& node, Emitter& emitter);
  // Whether its blobs may lack axes of 1 other than the batch (KeepsAxes).
  bool moves_data = false;
};

// nullptr if NCNN has no layer for the op.
const OpEmitter* FindOpEmitter(OpKind kind);

// Families, each in the file of its name.
std::span<const OpEmitter> ConvOps();
std::span<const OpEmitter> PoolOps();
std::span<const OpEmitter> GemmOps();
std::span<const OpEmitter> NormalizationOps();
std::span<const OpEmitter> ActivationOps();
std::span<const OpEmitter> ElementwiseOps();
std::span<const OpEmitter> ReduceOps();
std::span<const OpEmitter> ReshapeOps();
std::span<const OpEmitter> SliceOps();
std::span<const OpEmitter> ConcatOps();
std::span<const OpEmitter> ResizeOps();
std::span<const OpEmitter> SoftmaxOps();
std::span<const OpEmitter> LogicOps();
std::span<const OpEmitter> GatherOps();
std::span<const OpEmitter> RecurrentOps();

// A graph input that only tables read: its blob holds int32, as Embed reads it, not float32.
bool HoldsIntegers(const Value& value);
// An LSTM, GRU or RNN that one layer says.
bool IsRecurrentLayer(const Node& node);
// A Gather that an Embed layer says: of rows of a constant table, by such an input.
bool ReadsEmbedding(const Node& node);

}  // namespace slipway::ncnn
