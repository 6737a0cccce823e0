// The graphs that nodes hold: branches and bodies of control flow.
#pragma once

#include <memory>
#include <variant>
#include <vector>

#include "convert/ir/graph.h"

namespace slipway {

// Calls visit(graph) for the sub-graphs a node holds.
template <typename Visit>
void ForEachSubgraph(const Node& node, Visit visit) {
  for (const auto& [name, value] : node.attributes.all()) {
    if (const auto* graph = std::get_if<std::shared_ptr<Graph>>(&value)) visit(**graph);
  }
}

// Every outer value that a sub-graph's nodes or outputs read.
void CollectCaptures(const Graph& inner, const Graph& outer, std::vector<Value*>& captured);

}  // namespace slipway
