// Blocks of pixels into channels, as PyTorch's exporter writes pixel_unshuffle: for targets with fewer than six axes.
#pragma once

#include <memory>

#include "convert/passes/pass.h"

namespace slipway {

// Reshape [N, C, H/r, r, W/s, s] → Transpose (0 1 3 5 2 4) → Reshape [N, C·r·s, H/r, W/s] of an image of unknown size → a depthwise Conv with windows and strides of
// (r, s), whose r·s filters a channel each take one pixel.
std::unique_ptr<Rule> MakeUnshuffleByConvolution();

}  // namespace slipway
