// Resize to sizes that only the run knows (a decoder's interpolate(x, size=skip.shape[-2:])): for targets whose operators take numbers.
#pragma once

#include "absl/status/statusor.h"
#include "convert/ir/graph.h"

namespace slipway {

// Along each axis that changes: positions by Range, scaled, then Gather of the pixels around and their weighted sum. Any mode, NCHW layout, float32 data, sizes or
// constant scales; not antialiasing, exclude_outside, regions. Says whether it did.
absl::StatusOr<bool> ResizeByGather(Graph& graph, Node& resize);

}  // namespace slipway
