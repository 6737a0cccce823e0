// GridSample as arithmetic on positions and gathers: for targets that have none.
#pragma once

#include <memory>

#include "convert/passes/pass.h"

namespace slipway {

// GridSample of images whose channels, sizes and grid are of known size (the batch need not be), in every mode and padding:
// positions → indices of the pixels around and their weights → GatherND over pixels (batch_dims 1) → weighted sum.
std::unique_ptr<Rule> MakeGridSampleByGather();

}  // namespace slipway
