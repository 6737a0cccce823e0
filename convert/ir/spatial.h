// What convolutions and pools have in common, read from a node once instead of at every use.
//
// Data layout: attribute `data_layout` of Conv, ConvTranspose, MaxPool, AveragePool, GlobalAveragePool, GlobalMaxPool,
// Resize, DepthToSpace, SpaceToDepth is "NCHW" (default, any rank: channels at axis 1) or "NHWC" (channels last), set
// by passes/layout. Convolution weights stay [out, in/groups, k…] in the IR whatever the layout (ConvTranspose: [in,
// out/groups, k…]); emitters permute. Resize's roi, scales, sizes and axes count axes as NCHW has them in either layout.
// Fused activation: attribute `activation` of Conv, ConvTranspose, Gemm, Add, Mul,
// … = "" | "Relu" | "Clip" with `activation_min`, `activation_max`, set by a target's legalize only when the format can
// say it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/ir/graph.h"

namespace slipway {

struct SpatialParams {
  int64_t rank = 0;                                 // spatial axes: 1, 2 or 3
  std::vector<int64_t> kernel, strides, dilations;  // [rank]
  std::vector<int64_t> pads_begin, pads_end;        // [rank]; explicit: auto_pad is resolved
  std::vector<int64_t> output_padding;              // [rank]; ConvTranspose
  int64_t groups = 1;
  bool ceil_mode = false;
  bool count_include_pad = false;
  bool channels_last = false;
};

// Reads a Conv, ConvTranspose or pool. UNIMPLEMENTED when auto_pad SAME needs a size that is not known;
// INVALID_ARGUMENT when attributes contradict each other or the weights.
absl::StatusOr<SpatialParams> ReadSpatialParams(const Node& node);

// Output size of one axis of a convolution or pool (ONNX, Operators.md: Conv, MaxPool). In ceil mode a last window that
// would begin in the end padding is dropped, as torch and ONNX ≥ 22 do.
Dim PooledSize(const Dim& input, int64_t kernel, int64_t stride, int64_t dilation, int64_t pad_begin, int64_t pad_end,
               bool ceil_mode);

// Axis of the channels and the first spatial axis of a node's data.
int64_t ChannelAxis(const Node& node, int64_t rank);

}  // namespace slipway
