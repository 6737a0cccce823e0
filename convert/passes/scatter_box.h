// ScatterND into a box, as exporters write y[..., 0:2] = x: for targets that scatter in another way, or not at all.
#pragma once

#include <memory>

#include "convert/passes/pass.h"

namespace slipway {

// ScatterND without reduction whose indices are all places of a box of the data, in their order: what lies before and behind the box on each axis is cut and put
// together with the updates (Slice, Concat). The indices are constants, or follow from sizes alone (an assignment to a part of a tensor whose batch is open): then
// they are looked at with two sets of sizes.
std::unique_ptr<Rule> MakeScatterBoxByConcat();

}  // namespace slipway
