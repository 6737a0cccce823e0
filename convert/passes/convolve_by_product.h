// Convolutions by weights that are computed at run time: for targets whose convolutions take constants.
#pragma once

#include <memory>

#include "convert/passes/pass.h"

namespace slipway {

// Conv of known spatial sizes whose weights are no constant, of at most 256 elements a window: the window's elements side by side, times a matrix.
std::unique_ptr<Rule> MakeConvolveByProduct();

}  // namespace slipway
