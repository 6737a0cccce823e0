#include "convert/passes/merge_axes.h"

#include "tests/passes/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;

std::unique_ptr<Graph> Merged(GraphMaker& make, int64_t most, const std::map<std::string, int64_t>& sizes = {}) {
  std::vector<std::unique_ptr<Rule>> rules;
  rules.push_back(MakeMergeTransposedAxes(most));
  return ExpectSameAfter(
      [&](Graph& graph) {
        RETURN_IF_ERROR(ApplyRules(graph, rules).status());
        RETURN_IF_ERROR(MakeFoldConstants()->Run(graph).status());
        return MakeRemoveDead()->Run(graph).status();
      },
      *make.graph, sizes);
}

int64_t MostAxes(const Graph& graph) {
  int64_t most = 0;
  for (const Value* value : graph.values()) most = std::max(most, value->rank());
  return most;
}

// Swin's windows: [B, R·w, C·w, D] → [B·R·C, w·w, D].
TEST(MergeAxes, WindowPartition) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), 8, 12, 5});
  Value* windows = make.Op(kReshape, {x, make.Ints({0, 2, 4, 3, 4, 5})});
  windows = make.Op(kTranspose, {windows}, Attrs().Ints("perm", {0, 1, 3, 2, 4, 5}));
  make.Out(make.Op(kReshape, {windows, make.Ints({-1, 16, 5})}));
  const auto merged = Merged(make, 5, {{"N", 2}});
  EXPECT_EQ(MostAxes(*merged), 4);
  EXPECT_EQ(CountKind(*merged, kTranspose), 1);
}

TEST(MergeAxes, AxesOfOneDoNotPart) {
  GraphMaker make;
  make.Out(make.Op(kTranspose, {make.In({2, 1, 3, 4, 1, 5})}, Attrs().Ints("perm", {4, 3, 5, 0, 1, 2})));
  EXPECT_EQ(CountKind(*Merged(make, 4), kReshape), 2);
}

// Five runs change places two at a time.
TEST(MergeAxes, WhatMovesApartMovesInSteps) {
  for (const std::vector<int64_t>& perm :
       std::vector<std::vector<int64_t>>{{4, 2, 0, 3, 1}, {0, 2, 4, 1, 3}, {4, 3, 2, 1, 0}, {1, 3, 0, 4, 2}}) {
    GraphMaker make;
    make.Out(make.Op(kTranspose, {make.In({2, 3, 4, 5, 6})}, Attrs().Ints("perm", perm)));
    const auto merged = Merged(make, 4);
    EXPECT_GE(CountKind(*merged, kTranspose), 2);
    for (const auto& node : merged->nodes()) {
      if (node->kind == kTranspose) {
        EXPECT_LE(node->input(0)->rank(), 4);
      }
    }
  }
}

// Pixel unshuffle: [N, C, H, 2, W, 2] → [N, C, 2, 2, H, W].
TEST(MergeAxes, BlocksIntoChannels) {
  GraphMaker make;
  Value* x = make.Op(kReshape, {make.In({Dim::Symbol("N"), 3, 8, 12}), make.Ints({-1, 3, 4, 2, 6, 2})});
  x = make.Op(kTranspose, {x}, Attrs().Ints("perm", {0, 1, 3, 5, 2, 4}));
  make.Out(make.Op(kReshape, {x, make.Ints({-1, 12, 4, 6})}));
  EXPECT_EQ(MostAxes(*Merged(make, 4, {{"N", 2}})), 4);
}

TEST(MergeAxes, SizesThatNoReshapeCanTellStay) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("A"), 3, Dim::Symbol("B"), 5, Dim::Symbol("C")});
  make.Out(make.Op(kTranspose, {x}, Attrs().Ints("perm", {4, 2, 0, 3, 1})));
  EXPECT_EQ(CountKind(*Merged(make, 4, {{"A", 2}, {"B", 3}, {"C", 4}}), kReshape), 0);
}

// Adaptive pools: blocks of rows and columns averaged.
TEST(ReduceByRuns, AxesApartOneRunAtATime) {
  for (const OpKind kind : {kReduceMean, kReduceSum, kReduceMax, kReduceMin}) {
    for (const int64_t keep : {0, 1}) {
      GraphMaker make;
      Value* x = make.In({Dim::Symbol("N"), 2, 3, 4, 2, 3});
      make.Out(make.Op(kind, {x, make.Ints({-3, -1, 2})}, Attrs().Int("keepdims", keep)));
      std::vector<std::unique_ptr<Rule>> rules;
      rules.push_back(MakeReduceByRuns(4));
      const auto after = ExpectSameAfter(
          [&](Graph& graph) {
            RETURN_IF_ERROR(ApplyRules(graph, rules).status());
            return MakeFoldConstants()->Run(graph).status();
          },
          *make.graph, {{"N", 2}});
      EXPECT_EQ(CountKind(*after, kind), 2);
      for (const auto& node : after->nodes()) {
        if (node->kind == kind) {
          EXPECT_LE(node->input(0)->rank(), 3);
        }
      }
    }
  }
}

}  // namespace
}  // namespace slipway::testing
