// The places of MaxPool's maxima: for targets whose pools do not give them.
#pragma once

#include <memory>

#include "convert/passes/pass.h"

namespace slipway {

// MaxPool with indices, of float data of known spatial sizes: the pool without them, and for each place the first of its window's elements (in the data's order)
// that is the maximum, found by comparison. At most 64 elements a window.
std::unique_ptr<Rule> MakePoolIndicesByComparison();

}  // namespace slipway
