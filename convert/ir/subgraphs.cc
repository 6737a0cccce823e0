#include "convert/ir/subgraphs.h"

namespace slipway {

void CollectCaptures(const Graph& inner, const Graph& outer, std::vector<Value*>& captured) {
  auto is_outer = [&](Value* value) { return value != nullptr && outer.Find(value->name) == value; };
  for (const auto& node : inner.nodes()) {
    for (Value* input : node->inputs) {
      if (is_outer(input)) captured.push_back(input);
    }
    ForEachSubgraph(*node, [&](const Graph& nested) { CollectCaptures(nested, outer, captured); });
  }
  for (Value* output : inner.outputs()) {
    if (is_outer(output)) captured.push_back(output);
  }
}

}  // namespace slipway
