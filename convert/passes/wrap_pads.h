// Circular padding: for targets whose padding has no such mode.
#pragma once

#include <memory>

#include "convert/passes/pass.h"

namespace slipway {

// Pad of mode "wrap" by constants that are not negative → the ends' slices concatenated, axis by axis.
std::unique_ptr<Rule> MakeWrapBySlices();

}  // namespace slipway
