// Which nodes hold graphs.
#pragma once

#include "convert/ir/graph.h"

namespace slipway {

// Others need not be asked for sub-graphs among their attributes, which takes long over a large graph.
inline bool HoldsGraphs(const Node& node) {
  return node.kind == OpKind::kIf || node.kind == OpKind::kLoop || node.kind == OpKind::kScan;
}

}  // namespace slipway
