// Resize as numbers: what each axis of a Resize does to its data. Interpolation is linear in the data and goes an axis at a time, so a weight for each pair of
// result and source position says all.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/ir/graph.h"

namespace slipway {

// One axis: result[i] = sum over j of weights[i × from + j] × data[j].
struct ResampledAxis {
  int64_t from = 0, to = 0;      // -1: an unknown size that stays
  bool identity = true;          // nothing changes
  std::vector<float> weights;    // [to, from]; empty where identity
  std::vector<int64_t> nearest;  // [to]: the source position of each result, in mode nearest
  std::vector<bool>
      outside;  // [to]: beyond the data (tf_crop_and_resize): the weights are 0, the extrapolation value stands there
};

// The axes of a Resize, in the data's order. Coordinates are rounded as onnxruntime rounds them (an aligned axis counts whole sizes).
// UNIMPLEMENTED where sizes (of axes that change), scales or the region are not known.
absl::StatusOr<std::vector<ResampledAxis>> ReadResampling(const Node& resize);

// What stands beyond the data: `extrapolation` where a result lies outside on any axis, else 0, to be added to the weighted sums. It broadcasts over the axes
// that are not resized.
Tensor ResizeBorder(const std::vector<ResampledAxis>& axes, float extrapolation);

}  // namespace slipway
