// TFLite's operators by op family: of each IR op of a legalized graph, whether it can be written, and its writing.
// Registered by an explicit list in tflite_target.cc.
#pragma once

#include <span>

#include "absl/status/status.h"
#include "common/base/error.h"
#include "convert/ir/graph.h"
#include "convert/targets/target.h"
#include "convert/targets/tflite/builder.h"

namespace slipway::tflite {

using CheckFunction = absl::Status (*)(const Node& node);
using EmitFunction = void (*)(const Node& node, ModelBuilder& out);
struct OpEntry {
  OpKind kind;
  CheckFunction check;
  EmitFunction emit;
};

std::span<const OpEntry> ConvOps();
std::span<const OpEntry> PoolOps();
std::span<const OpEntry> GemmOps();
std::span<const OpEntry> ActivationOps();
std::span<const OpEntry> ElementwiseOps();
std::span<const OpEntry> ReduceOps();
std::span<const OpEntry> ReshapeOps();
std::span<const OpEntry> SliceOps();
std::span<const OpEntry> GatherOps();
std::span<const OpEntry> ResizeOps();
std::span<const OpEntry> ShapeOps();

// The fused activation (attribute `activation`); nullopt when TFLite has no such.
std::optional<schema::ActivationFunctionType> FusedActivation(const Node& node);

// Padding of a convolution or pool on channels-last data as SAME or VALID; nullopt when neither says it.
std::optional<schema::Padding> PaddingOf(const Node& node);

// Whether RESIZE_BILINEAR or RESIZE_NEAREST_NEIGHBOR says this Resize of an image, whatever its data layout.
bool HasResizeOperator(const Node& node);

// UNIMPLEMENTED unless the rank is known and at most `most`.
absl::Status CheckRank(const Node& node, const Value* value, int64_t most);
// UNIMPLEMENTED unless input i is a constant.
absl::Status CheckConstant(const Node& node, size_t input, std::string_view what);

// `axis` of a tensor of value's rank, counted from the start.
int64_t AxisOf(const Node& node, const Value* value, int64_t fallback);

// Whether a value is zeros, whatever its sizes: what SCATTER_ND scatters onto.
bool IsZeros(const Value* value);

}  // namespace slipway::tflite
