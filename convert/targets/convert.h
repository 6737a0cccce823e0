// The whole way of one cell's conversion: core IR → files.
#pragma once

#include "absl/status/statusor.h"
#include "convert/targets/target.h"

namespace slipway {

// By capabilities' name; nullptr if unknown.
const Target* FindTargetByName(std::string_view name);

// Every node of the (legalized) graph that the target refuses, each with its reason. Empty: all can be written.
std::vector<absl::Status> BlockingNodes(const Target& target, const Graph& legalized, const TargetOptions& options);

// Legalize, check, emit; `graph` is consumed. The error of a blocked conversion names the first three blocking nodes and how many there are.
// `legalized`, if given, receives the graph that was emitted.
absl::StatusOr<Emitted> ConvertTo(const Target& target, std::unique_ptr<Graph> graph, const TargetOptions& options,
                                  const std::filesystem::path& folder, std::unique_ptr<Graph>* legalized = nullptr);

}  // namespace slipway
