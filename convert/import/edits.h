// What a user asked of a model's inputs and outputs, done to the graph as it was written.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/task/task.h"
#include "convert/ir/graph.h"

namespace slipway {

// What a source states of a tensor; either may be missing.
struct DeclaredType {
  DataType type = DataType::kUndefined;
  std::optional<Shape> shape;
};
// By name: for those that inference cannot tell.
using DeclaredTypes = std::map<std::string, DeclaredType>;

// Applies fix, cuts, normalisation and softmax, in this order; shapes are bound before, names are given after (RenameInterface). Values keep
// their names and origins: a wrapped input's is that of what the user feeds. `warnings` receives what was asked but not done.
// INVALID_ARGUMENT, naming the flag and what would do (the nearest names, the inputs), when it cannot be.
absl::Status EditInterface(std::unique_ptr<Graph>& graph, const InterfaceOptions& options,
                           std::vector<std::string>& warnings);
// Its two halves: fix and cuts choose a part of the graph, the others add to it.
absl::Status FixAndCut(std::unique_ptr<Graph>& graph, const InterfaceOptions& options,
                       const DeclaredTypes& declared = {});
absl::Status WrapInterface(Graph& graph, const InterfaceOptions& options, std::vector<std::string>& warnings);

// Names for the artifact's inputs and outputs, in order, fewer than there are or as many; origins keep the source's names.
absl::Status RenameInterface(Graph& graph, const InterfaceOptions& options);

// The flags behind `options`, as the manifest's `reference` names them: "--fix, --softmax".
std::string EditingFlags(const InterfaceOptions& options);

// Parts of EditInterface.
absl::Status FixInputs(Graph& graph, const InterfaceOptions& options);
absl::Status CutGraph(std::unique_ptr<Graph>& graph, const InterfaceOptions& options,
                      const DeclaredTypes& declared = {});
absl::Status NormalizeImage(Graph& graph, const InterfaceOptions& options);
absl::Status AppendSoftmax(Graph& graph, std::vector<std::string>& warnings);

// The one output whose last axis has a place for each of `count` labels, as its index; INVALID_ARGUMENT naming the outputs if there is not exactly one.
absl::StatusOr<size_t> LabelledOutput(const Graph& graph, size_t count);

// The graph's only float input of rank 4; INVALID_ARGUMENT naming the inputs if there is not exactly one.
absl::StatusOr<Value*> ImageInput(const Graph& graph);

// Every input and output of rank 4 becomes channels-last (NHWC), its origin a permutation of the source's tensor: core IR for --io-layout nhwc.
absl::Status MakeInterfaceChannelsLast(Graph& graph);

}  // namespace slipway
