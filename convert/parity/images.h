// Batches for artifacts without a batch: the artifact runs once for each image.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "convert/parity/parity.h"

namespace slipway {

// How many images of the sample an artifact runs one by one: the size of the batch that its interface drops, where the source leaves that size
// open. `samples` show it: they have it both as 1 and as more. 1 in every other case.
int64_t ImagesOf(const IoSchema& io, const Sample& sample, const std::vector<Sample>& samples);

// The image'th of `images` along the axis that the interface drops (of a vector, its element); inputs without such an axis are given whole.
Tensor ImageOf(const Tensor& source, const InterfaceTensor& interface, int64_t image, int64_t images);

// What came out for each image, in the source's form, as one tensor of the shape `expected`: joined along the one axis where a single image has less,
// or the first where none has. INVALID_ARGUMENT where they do not make that shape.
absl::StatusOr<Tensor> JoinImages(const std::vector<Tensor>& images, const std::vector<int64_t>& expected);

}  // namespace slipway
