// A graph in onnxruntime as it is, and its ML program run by the interpreter, compared.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/ir/graph.h"
#include "convert/runtimes/runtime.h"
#include "convert/targets/target.h"

namespace slipway::testing {

// Simplifies and legalizes a clone, checks every node and emits it into `folder`. `legalized`, if given, receives the graph that was emitted.
absl::StatusOr<Emitted> ConvertToCoreml(const Graph& graph, const std::filesystem::path& folder,
                                        std::unique_ptr<Graph>* legalized = nullptr);

// Runs tests/coreml/check_package.py on them: coremltools parses each model with no unknown fields left and loads the program, its inferred types agree
// with the declared ones, every blob of weight.bin is where the model says.
absl::Status CheckPackages(const std::vector<std::filesystem::path>& packages);

// The largest difference over all outputs, each divided by the largest magnitude of its reference. `sizes` binds the graph's symbols; float inputs are
// random in [low, high], integers 0, 1, 2 …, booleans alternate.
absl::StatusOr<double> CompareWithOnnxruntime(const Graph& graph, const std::map<std::string, int64_t>& sizes = {},
                                              float low = -1, float high = 1);

}  // namespace slipway::testing
