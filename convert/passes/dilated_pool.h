// Dilated pools for formats whose pools have no dilations.
#pragma once

#include <memory>

#include "convert/passes/pass.h"

namespace slipway {

// MaxPool with dilations (float32, NCHW, sizes known, no indices) → the maximum of one strided slice a tap, an axis at a time: its padding becomes a Pad of the
// lowest number. Other nodes are left.
std::unique_ptr<Rule> MakeSliceDilatedPool();

}  // namespace slipway
