// Transposes of many axes as ones of few: for targets whose tensors have a most.
#pragma once

#include <memory>

#include "convert/passes/pass.h"

namespace slipway {

// A Transpose of more than `most` axes, neighbours of which stay neighbours (window partition: [B·R, w, C, w·D] for [B, R, w, C, w, D]):
// Reshape → Transpose of the merged axes → Reshape. Reshapes around it are merged with these.
std::unique_ptr<Rule> MakeMergeTransposedAxes(int64_t most);

// A mean, sum or extreme over axes of a value of more than `most`: one after the other of its runs of neighbours, as the middle of three axes.
std::unique_ptr<Rule> MakeReduceByRuns(int64_t most);

}  // namespace slipway
