// GatherElements and ScatterElements of one index along an axis (the class that argmax chose): for targets that have neither.
#pragma once

#include <memory>

#include "convert/passes/pass.h"

namespace slipway {

// GatherElements, ScatterElements without reduction, of float data, where indices have one element along the axis and the data's sizes on all others: the places of the axis are
// compared with the index; what is chosen is summed, or replaced by the updates.
std::unique_ptr<Rule> MakeOneIndexByComparison();

}  // namespace slipway
