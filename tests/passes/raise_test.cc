// What is computed from the graph's inputs alone moves to channels-last with them.
#include "tests/passes/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;

int InnerTransposes(const Graph& graph) {
  int inner = 0;
  for (const auto& node : graph.nodes())
    inner += node->kind == kTranspose && node->input(0)->producer != nullptr && !graph.IsOutput(node->output()) ? 1 : 0;
  return inner;
}

// Normalisation by channel, padding by slices, two inputs, and a skip from the image to the end.
TEST(RaiseTranspose, PreprocessingRunsOnTheTransposedInput) {
  GraphMaker make;
  Value* image = make.In({Dim::Symbol("N"), 3, Dim::Symbol("H"), 10});
  Value* other = make.In({Dim::Symbol("N"), 3, Dim::Symbol("H"), 10});
  Value* scaled = make.Op(kDiv, {make.Op(kSub, {image, make.Random({3, 1, 1})}), make.Random({1, 3, 1, 1}, 1, 2)});
  Value* first = make.Op(kSlice, {scaled, make.Ints({0}), make.Ints({1}), make.Ints({3})});
  Value* padded = make.Op(kConcat, {first, scaled, first}, Attrs().Int("axis", 3));
  Value* both =
      make.Op(kConcat, {padded, make.Op(kPad, {other, make.Ints({0, 0, 0, 1, 0, 0, 0, 1})})}, Attrs().Int("axis", 1));
  Value* filtered = make.Conv(both, 3, 3, {1, 1}, {1, 1, 1, 0});
  make.Out(make.Conv(
      make.Op(kAdd, {filtered, make.Op(kSlice, {padded, make.Ints({1}), make.Ints({100}), make.Ints({3})})}), 2, 1));
  const auto after = ExpectSameAfter(*MakeChannelsLast(), *make.graph, {{"N", 2}, {"H", 6}});
  EXPECT_EQ(InnerTransposes(*after), 0);
  EXPECT_EQ(CountKind(*after, kTranspose), 3);  // of two inputs and the output
}

// What channels-first readers need too is not computed twice.
TEST(RaiseTranspose, OtherReadersKeepTheirs) {
  GraphMaker make;
  Value* image = make.In({1, 3, 6, 10});
  Value* scaled = make.Op(kRelu, {image});
  make.Out(make.Conv(scaled, 4, 3));
  make.Out(make.Op(kReshape, {scaled, make.Ints({1, 180})}));
  const auto after = ExpectSameAfter(*MakeChannelsLast(), *make.graph);
  EXPECT_EQ(CountKind(*after, kRelu), 1);
  EXPECT_EQ(CountKind(*after, kTranspose), 2);
}

}  // namespace
}  // namespace slipway::testing
