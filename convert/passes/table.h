// A bound for constants that rules make up.
#pragma once

#include <cstdint>
#include <vector>

namespace slipway {

// Whether a rule may write a constant of this shape where nothing but sizes asks for it (the depth of a one-hot, a dilation, a shape to
// grow to): a small file can ask for terabytes. The node then stays as it is.
bool IsTableSize(const std::vector<int64_t>& shape);

}  // namespace slipway
