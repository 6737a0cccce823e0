// Operations on more axes than a format has, where neighbouring axes can be taken as one.
#pragma once

#include <cstdint>
#include <memory>

#include "convert/passes/pass.h"

namespace slipway {

// Elementwise operations, Softmax, Concat, Slice, Pad, Expand and Tile on more than `most` axes: axes that no operand broadcasts apart and that the operation
// does not name are merged by a Reshape of the operands, and split again behind. `batch_apart`: a first axis of 1 does not count.
std::unique_ptr<Rule> MakeMergeNeighbours(int64_t most, bool batch_apart);

}  // namespace slipway
