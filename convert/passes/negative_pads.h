// Pads that cut: for targets whose padding only adds.
#pragma once

#include <memory>

#include "convert/passes/pass.h"

namespace slipway {

// Pad by constants some of which are negative → Slice, then what is left of the padding.
std::unique_ptr<Rule> MakeCropBySlice();

}  // namespace slipway
