// Gathers by constant tables of indices, for targets that gather along one axis by a list, or not at all.
#pragma once

#include <memory>

#include "convert/passes/pass.h"

namespace slipway {

// Gather by a constant of two or more axes (blocks of an image, as exporters write unfold) → Gather by its list, Reshape. GatherND by constants without batch axes (x[:, [3, 1]]
// and adaptive pools, as PyTorch's newer exporter writes them) → Reshape of the axes that the indices name to one, Gather, Reshape.
std::unique_ptr<Rule>
MakeTakeFromEnd();  // one index from the end of an unknown number (the last step of a sequence) → Slice
std::unique_ptr<Rule> MakeFlattenGatherIndices();
std::unique_ptr<Rule> MakeFlattenGatherNd();

}  // namespace slipway
