// How IR values lie in NCNN's blobs.
//
// A blob has up to four axes (c, d, h, w; fewer from the left) and no batch. A value whose first axis is 1 (rank 2 or more) is kept without it; any
// other value with all its axes. A scalar is a blob of one element. All of it row-major: a blob of other axes with the same elements is a Reshape away.
#pragma once

#include <cstdint>

#include "convert/ir/graph.h"

namespace slipway::ncnn {

inline constexpr int64_t kMaxBlobRank = 4;

// Whether the value's axis 0 is left out.
bool DropsBatch(const Value& value);
// The blob's sizes, outermost first. The value's shape must be known.
Shape BlobShape(const Value& value);
// The value's own sizes as a blob's: nothing dropped (a scalar is [1]).
Shape FullShape(const Value& value);

}  // namespace slipway::ncnn
