// float16, bfloat16 and float64 as float32: for formats that compute in float32.
#pragma once

#include "absl/status/status.h"
#include "convert/ir/graph.h"

namespace slipway {

// Constants, values, casts and the interface.
absl::Status WidenFloats(Graph& graph);

}  // namespace slipway
