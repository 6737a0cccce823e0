// GatherElements, ScatterElements and ScatterND by computed indices, for targets that have none: every place is compared with every index.
#pragma once

#include <memory>

#include "convert/passes/pass.h"

namespace slipway {

// GatherElements and ScatterElements (without reduction, or adding) of numbers: what an index names is summed, or replaced by the updates. The comparisons make at most 2^22 elements where sizes are known. Of indices that
// occur twice without reduction, which ONNX leaves undefined, the updates' mean is taken.
std::unique_ptr<Rule> MakePickByComparison();

// ScatterND by computed indices into data of known sizes (without reduction, or adding): rows of the indexed axes, picked by a product with what is 1 where
// index and row meet.
std::unique_ptr<Rule> MakeScatterRowsByProduct();

}  // namespace slipway
