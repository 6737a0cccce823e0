// The passes, and the sequence every import ends with.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "convert/ir/graph.h"
#include "convert/passes/pass.h"

namespace slipway {

std::unique_ptr<Pass> MakeInferShapes();    // shapes.cc: types and (symbolic) shapes of every value
std::unique_ptr<Pass> MakeFoldConstants();  // fold.cc: nodes of constants, shape arithmetic, identities
std::unique_ptr<Pass>
MakeFuse();  // fuse.cc: Conv+BatchNorm, Conv+Mul/Add by constants, Pad into Conv, MatMul+Add → Gemm, decomposed activations
std::unique_ptr<Pass> MakeRemoveDead();  // dead.cc
std::unique_ptr<Pass>
MakeChannelsLast();  // layout.cc: NHWC data layout, transposes pushed out to the interface and cancelled

// Import's end: shapes, folding and fusion to a fixed point, dead code removed. The result is core IR.
absl::Status Simplify(Graph& graph);

// Replaces symbols in the graph's input shapes and infers again ("H" → 64). Symbols that it lacks stay.
absl::Status BindSymbols(Graph& graph, const std::map<std::string, int64_t>& sizes);

}  // namespace slipway
