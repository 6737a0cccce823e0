// Runs a graph in onnxruntime as it is, and in ncnn as it was converted, and compares.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/file.h"
#include "convert/ir/graph.h"
#include "convert/runtimes/runtime.h"
#include "convert/targets/target.h"
#include "tests/support/graph_runs.h"

namespace slipway::testing {

// Legalizes a clone, checks and emits it into `folder`.
absl::StatusOr<Emitted> ConvertToNcnn(const Graph& graph, const std::filesystem::path& folder);

// The largest difference over all outputs, each divided by the largest magnitude of its reference. `sizes` binds the graph's symbols; inputs are
// random in [low, high].
absl::StatusOr<double> CompareWithOnnxruntime(const Graph& graph, const std::map<std::string, int64_t>& sizes = {},
                                              float low = -1, float high = 1);

}  // namespace slipway::testing
