// Gathers by constant tables of indices, for targets that gather along one axis by a list, or not at all.
#pragma once

#include <memory>

#include "convert/passes/pass.h"

namespace slipway {

// Gather by a constant of two or more axes (blocks of an image, as exporters write unfold) → Gather by its list, Reshape.
std::unique_ptr<Rule> MakeFlattenGatherIndices();

}  // namespace slipway
