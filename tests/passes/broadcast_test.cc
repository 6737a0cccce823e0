// Expands that their readers' broadcasting makes needless.
#include "tests/passes/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;

std::unique_ptr<Graph> Folded(GraphMaker& make) {
  return ExpectSameAfter(
      [](Graph& graph) {
        RETURN_IF_ERROR(MakeFoldConstants()->Run(graph).status());
        return MakeRemoveDead()->Run(graph).status();
      },
      *make.graph, {{"N", 2}, {"H", 5}});
}

// F.normalize, as exporters write it: x / norm.expand_as(x).
TEST(BroadcastWithoutExpand, TheReaderGrowsItself) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), 4, Dim::Symbol("H")});
  Value* norm = make.Op(kReduceL2, {x, make.Ints({1})});
  Value* grown = make.Op(kExpand, {norm, make.Op(kShape, {x})});
  make.Out(make.Op(kDiv, {x, grown}));
  make.Out(make.Op(kMul, {grown, x}));
  const auto after = Folded(make);
  EXPECT_EQ(CountKind(*after, kExpand) + CountKind(*after, kShape), 0);
}

TEST(BroadcastWithoutExpand, OthersKeepIt) {
  GraphMaker make;
  Value *small = make.In({1, 4}), *other = make.In({1, 4});
  Value* grown = make.Op(kExpand, {small, make.Ints({3, 4})});
  make.Out(make.Op(kAdd, {grown, other}));                                       // nothing else has three rows
  make.Out(make.Op(kConcat, {grown, make.In({2, 4})}, Attrs().Int("axis", 0)));  // no broadcasting
  EXPECT_EQ(CountKind(*Folded(make), kExpand), 1);
  GraphMaker result;
  Value* y = result.Op(kExpand, {result.In({1, 4}), result.Ints({3, 4})});
  result.Out(y);
  result.Out(result.Op(kAdd, {y, result.In({3, 4})}));
  EXPECT_EQ(CountKind(*Folded(result), kExpand), 1);
}

}  // namespace
}  // namespace slipway::testing
