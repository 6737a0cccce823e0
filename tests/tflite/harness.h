// Runs a graph in onnxruntime as it is, and in LiteRT as it was converted, with each set of kernels.
#pragma once

#include <map>
#include <string>

#include "convert/targets/target.h"
#include "tests/support/graph_runs.h"

namespace slipway::testing {

// Simplifies, legalizes, checks and emits a clone into `folder`. `legalized`, if given, receives the graph that was written.
absl::StatusOr<Emitted> ConvertToTflite(const Graph& graph, const std::filesystem::path& folder,
                                        std::unique_ptr<Graph>* legalized = nullptr);

// The largest scaled difference over all outputs, both kernel sets and all `sizes`; the file is resized from one to the next.
absl::StatusOr<double> CompareInLitert(const Graph& graph,
                                       const std::vector<std::map<std::string, int64_t>>& sizes = {{}}, float low = -1,
                                       float high = 1);

// How many nodes of a kind the written graph has.
int CountKind(const Graph& graph, OpKind kind);

}  // namespace slipway::testing
