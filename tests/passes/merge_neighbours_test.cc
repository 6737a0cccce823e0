#include "convert/passes/merge_neighbours.h"

#include "tests/passes/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;

std::unique_ptr<Graph> Merged(GraphMaker& make, bool batch_apart = false) {
  std::vector<std::unique_ptr<Rule>> rules;
  rules.push_back(MakeMergeNeighbours(4, batch_apart));
  return ExpectSameAfter([&](Graph& graph) { return ApplyRules(graph, rules).status(); }, *make.graph, {{"N", 2}});
}

int64_t MostAxes(const Graph& graph) {
  int64_t most = 0;
  for (const auto& node : graph.nodes()) {
    if (node->kind == kReshape) continue;
    for (const Value* input : node->inputs) most = std::max(most, input == nullptr ? 0 : input->rank());
  }
  return most;
}

// Involution: a kernel for each group of channels, at each place.
TEST(MergeNeighbours, OperandsThatBroadcast) {
  GraphMaker make;
  Value* patches = make.In({Dim::Symbol("N"), 2, 3, 4, 5, 5});
  Value* kernels = make.In({Dim::Symbol("N"), 2, 1, 4, 5, 5});
  Value* scaled = make.Op(kMul, {patches, make.Op(kSigmoid, {kernels})});
  make.Out(make.Op(kAdd, {scaled, make.Random({3, 1, 1, 1})}));
  EXPECT_LE(MostAxes(*Merged(make)), 4);
}

// An image by blocks of a constant: each operand is broadcast where the other is not.
TEST(MergeNeighbours, OperandsThatTakeTurns) {
  GraphMaker make;
  make.Out(make.Op(kMul, {make.In({1, 3, 4, 1, 4, 1}), make.Random({1, 1, 1, 2, 1, 2})}));
  EXPECT_LE(MostAxes(*Merged(make)), 4);
}

TEST(MergeNeighbours, AxesThatAreNamed) {
  GraphMaker make;
  Value* x = make.In({2, 3, 4, 2, 3});
  make.Out(make.Op(kSoftmax, {x}, Attrs().Int("axis", 2)));
  make.Out(make.Op(kConcat, {x, make.In({2, 3, 4, 5, 3})}, Attrs().Int("axis", -2)));
  make.Out(make.Op(kSlice, {x, make.Ints({1, 1}), make.Ints({3, 2}), make.Ints({-3, 0})}));
  make.Out(make.Op(kSlice, {x, make.Ints({1}), make.Ints({2})}));
  make.Out(make.Op(kPad, {x, make.Ints({0, 1, 0, 0, 0, 0, 0, 0, 0, 0})}));
  make.Out(make.Op(kTile, {x, make.Ints({1, 2, 1, 1, 1})}));
  make.Out(make.Op(kExpand, {make.In({2, 3, 1, 1, 3}), make.Ints({2, 3, 4, 2, 3})}));
  make.Out(
      make.Op(kWhere, {make.Op(kGreater, {x, make.Constant(Tensor::Scalar(0))}), x, make.Random({2, 3, 1, 1, 1})}));
  EXPECT_LE(MostAxes(*Merged(make)), 4);
}

TEST(MergeNeighbours, OneOfAnAxis) {
  GraphMaker make;
  Value* x = make.In({2, 3, 4, 2, 3, 2});
  make.Out(make.Op(kGather, {x, make.Constant(Tensor::From<int64_t>({}, {-1}))}, Attrs().Int("axis", 2)));
  make.Out(make.Op(kGather, {x, make.Ints({1})}, Attrs().Int("axis", 4)));
  const auto after = Merged(make);
  EXPECT_EQ(CountKind(*after, kGather), 0);
  EXPECT_LE(MostAxes(*after), 4);
}

TEST(MergeNeighbours, ABatchOfOneDoesNotCount) {
  GraphMaker make;
  make.Out(make.Op(kRelu, {make.In({1, 3, 4, 2, 3})}));
  EXPECT_EQ(CountKind(*Merged(make, true), kReshape), 0);
  EXPECT_EQ(CountKind(*Merged(make, false), kReshape), 2);
}

TEST(MergeNeighbours, WhatCannotBeMergedStays) {
  GraphMaker make;
  make.Out(make.Op(kAdd, {make.In({2, 1, 2, 1, 2}), make.In({1, 2, 1, 2, 1})}));
  EXPECT_EQ(CountKind(*Merged(make), kReshape), 0);
}

}  // namespace
}  // namespace slipway::testing
