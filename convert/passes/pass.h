// Passes and rules: how a graph is rewritten.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "convert/ir/graph.h"

namespace slipway {

// One rewriting of a whole graph. Stateless and thread-safe; the same graph gives the same result.
// After Run the graph is valid, computes the same outputs and keeps its inputs' and outputs' names and order; origins are kept or cleared.
class Pass {
 public:
  virtual ~Pass() = default;
  virtual std::string_view name() const = 0;  // "fold-constants"
  // Whether anything changed. An error names the node; the graph is then not to be used.
  virtual absl::StatusOr<bool> Run(Graph& graph) const = 0;
};

// One local rewriting, tried at every node of its kinds.
class Rule {
 public:
  virtual ~Rule() = default;
  virtual std::string_view name() const = 0;  // "fold-pad-into-conv"
  virtual std::span<const OpKind> kinds() const = 0;
  // Whether it changed the graph. It may add, change and remove nodes, `node` itself included; what it adds carries inferred
  // types and shapes (AddInferred in passes/shapes.h).
  virtual absl::StatusOr<bool> Apply(Graph& graph, Node& node) const = 0;
};

// Applies rules until none changes anything: to all nodes in order, then again to what changed and its neighbours.
// Linear in the graph for rules that converge; INTERNAL naming the rule when one keeps firing (over 64 times a node).
absl::StatusOr<bool> ApplyRules(Graph& graph, std::span<const std::unique_ptr<Rule>> rules);

}  // namespace slipway
