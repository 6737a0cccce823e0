// Graphs with gaps: what is left to be judged where some nodes cannot be imported, rewritten or computed.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "convert/ir/graph.h"

namespace slipway::inspect {

// Whether all that the node reads and makes has a type and a rank.
bool IsKnown(const Node& node);

// Takes the node out: what it made becomes an input of the top graph, what it reads stays alive as an output.
void Cut(Node* node);

// The node, also of an inner graph, that a message names as messages name nodes; nullptr if none. Where it names several, one inside another, the innermost.
Node* FindNamed(const Graph& graph, std::string_view message);

// Types and shapes of every value as far as they can be told. A node whose operands contradict it is cut and `refuse` told why; one
// that follows a gap is nobody's fault.
void InferAround(Graph& graph, const std::function<void(const absl::Status&)>& refuse);

struct Body {
  std::string label;  // "Loop 'x' (output 'y')"
  std::unique_ptr<Graph> graph;
};
// The graphs inside of a node, each on its own: what it reads from outside are its inputs.
std::vector<Body> BodiesOf(const Node& node);

// Cuts every node that is not known, so that the rest can be rewritten like any graph. Returns their bodies; `graph` is replaced.
std::vector<Body> CutUnknown(std::unique_ptr<Graph>& graph);

}  // namespace slipway::inspect
