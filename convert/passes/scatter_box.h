// ScatterND into a box, as exporters write y[..., 0:2] = x: for targets that scatter in another way, or not at all.
#pragma once

#include <memory>

#include "convert/passes/pass.h"

namespace slipway {

// ScatterND without reduction whose constant indices are all places of a box of the data, in their order: what lies before and behind the box on each axis is cut
// and put together with the updates (Slice, Concat).
std::unique_ptr<Rule> MakeScatterBoxByConcat();

}  // namespace slipway
