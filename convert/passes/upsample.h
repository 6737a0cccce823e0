// Upsampling said as a convolution and a pixel shuffle: for targets that cannot say it, or not for sizes known only at run time.
// Both rewrite a node in NCHW layout and say whether they did; what they leave is of static kernels whatever the sizes are.
#pragma once

#include "absl/status/statusor.h"
#include "convert/ir/graph.h"

namespace slipway {

// Resize of an image's height and width by the same whole factor, without aligned corners, antialiasing or exclude_outside:
// Pad (edge) → depthwise Conv with one filter a result pixel of the factor's square → DepthToSpace (CRD).
absl::StatusOr<bool> ResizeByConvolution(Graph& graph, Node& resize);

// ConvTranspose with equal strides, constant weights and explicit padding: Conv of every stride-th weight → DepthToSpace (CRD) → Slice.
absl::StatusOr<bool> TransposedByConvolution(Graph& graph, Node& transposed);

}  // namespace slipway
