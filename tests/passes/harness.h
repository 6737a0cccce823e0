// Runs a graph in onnxruntime before and after a pass.
#pragma once

#include <gmock/gmock.h>

#include "convert/passes/passes.h"
#include "tests/support/graph_runs.h"

namespace slipway::testing {

inline int CountKind(const Graph& graph, OpKind kind) {
  int count = 0;
  for (const auto& node : graph.nodes()) count += node->kind == kind ? 1 : 0;
  return count;
}

// Runs `pass` on a clone: the outputs must be the same numbers under the same names, and every value whose origin is known must be its source's
// tensor, transposed as the origin says. Returns the rewritten graph.
inline std::unique_ptr<Graph> ExpectSameAfter(const std::function<absl::Status(Graph&)>& pass, const Graph& graph,
                                              const std::map<std::string, int64_t>& sizes = {}, float low = -1,
                                              float high = 1) {
  std::unique_ptr<Graph> after = graph.Clone();
  if (const absl::Status status = pass(*after); !status.ok()) {
    ADD_FAILURE() << status;
    return after;
  }
  EXPECT_TRUE(after->Validate().ok()) << after->Validate();
  std::vector<const Value*> sources, results;
  for (const Value* value : after->values()) {
    const Value* source = value->origin.known() ? graph.Find(value->origin.source) : nullptr;
    if (value->producer == nullptr || source == nullptr || source->producer == nullptr) continue;
    if (after->IsOutput(value) || graph.IsOutput(source)) continue;
    sources.push_back(source);
    results.push_back(value);
  }
  const NamedTensors inputs = RandomInputs(graph, sizes, low, high);
  const auto expected = RunInOnnxruntime(graph, inputs, sources), actual = RunInOnnxruntime(*after, inputs, results);
  EXPECT_TRUE(expected.ok()) << expected.status();
  EXPECT_TRUE(actual.ok()) << actual.status();
  if (!expected.ok() || !actual.ok()) return after;
  const size_t outputs = graph.outputs().size();
  for (size_t i = 0; i < expected->size(); ++i) {
    Tensor want = (*expected)[i].second;
    if (i < outputs) {
      EXPECT_EQ((*expected)[i].first, (*actual)[i].first);
    } else if (const Origin& origin = results[i - outputs]->origin; !origin.permutation.empty()) {
      want = Transpose(want, origin.permutation);
    }
    EXPECT_LT(Difference(want, (*actual)[i].second), 1e-5) << (*actual)[i].first << " of " << (*expected)[i].first;
  }
  return after;
}

inline std::unique_ptr<Graph> ExpectSameAfter(const Pass& pass, const Graph& graph,
                                              const std::map<std::string, int64_t>& sizes = {}, float low = -1,
                                              float high = 1) {
  return ExpectSameAfter([&](Graph& after) { return pass.Run(after).status(); }, graph, sizes, low, high);
}

}  // namespace slipway::testing
