// How IR values lie in NCNN's blobs.
//
// A blob has up to four axes (c, d, h, w; fewer from the left) and no batch. A value whose first axis is 1 (rank 2 or more) is kept without it; any
// other value with all its axes. A scalar is a blob of one element. All of it row-major: a blob of other axes with the same elements is a Reshape away.
#pragma once

#include <cstdint>
#include <vector>

#include "convert/ir/graph.h"

namespace slipway::ncnn {

inline constexpr int64_t kMaxBlobRank = 4;

// Whether the value's axis 0 is left out.
bool DropsBatch(const Value& value);
// The value's axes that its blob has. Values that would have more than four lose further axes of 1, outermost first.
std::vector<int64_t> BlobAxes(const Value& value);
// Whether a batch of 1 is all that is left out. Other values only move data (reshapes, transpositions, cuts).
bool KeepsAxes(const Value& value);
// The blob's sizes, outermost first. The value's shape must be known.
Shape BlobShape(const Value& value);
// The value's own sizes as a blob's: nothing dropped (a scalar is [1]).
Shape FullShape(const Value& value);

}  // namespace slipway::ncnn
