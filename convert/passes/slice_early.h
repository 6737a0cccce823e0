// Parts of tensors of many axes, taken before the tensor has them: for targets whose tensors have a most.
#pragma once

#include <memory>

#include "convert/passes/pass.h"

namespace slipway {

// Slice, Split and Gather of a constant index along one axis of a value of more than `most` axes:
// - of a Transpose: the part of its data, transposed (queries, keys and values of attention: [B, N, 3, H, D] → [3, B, H, N, D] → [0]);
// - of a Reshape that splits an axis of its data in two or more, the leading of which is cut: a Slice of that axis, reshaped.
std::unique_ptr<Rule> MakeSliceBeforeMove(int64_t most);

}  // namespace slipway
