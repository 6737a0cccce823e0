// Graphs of any length, to see how the time to convert grows with it.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "convert/ir/graph.h"

namespace slipway {

// `nodes` nodes, as an exporter writes them: convolutions of 8 channels with batch normalisation, ReLU, residual
// additions, branches joined again, small weights that differ from layer to layer.
absl::StatusOr<std::unique_ptr<Graph>> LongGraph(int nodes);

}  // namespace slipway
