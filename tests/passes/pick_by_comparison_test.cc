#include "convert/passes/pick_by_comparison.h"

#include "tests/passes/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;

std::unique_ptr<Graph> Compared(GraphMaker& make) {
  std::vector<std::unique_ptr<Rule>> rules;
  rules.push_back(MakePickByComparison());
  return ExpectSameAfter([&](Graph& graph) { return ApplyRules(graph, rules).status(); }, *make.graph, {{"N", 2}}, -4,
                         3);
}

// torch.gather(x, 1, x.argmax(1, keepdim=True)) and its scatter.
TEST(PickByComparison, TheChosenIsSummedOrReplaced) {
  for (const int64_t axis : {1, -1}) {
    GraphMaker make;
    Value* x = make.In({Dim::Symbol("N"), 4, 5, 4});
    Value* chosen = make.Op(kArgMax, {x}, Attrs().Int("axis", axis));
    make.Out(make.Op(kGatherElements, {x, chosen}, Attrs().Int("axis", axis)));
    make.Out(make.Op(kScatterElements, {x, chosen, make.Op(kGatherElements, {x, chosen}, Attrs().Int("axis", axis))},
                     Attrs().Int("axis", axis)));
    const auto after = Compared(make);
    EXPECT_EQ(CountKind(*after, kGatherElements) + CountKind(*after, kScatterElements), 0);
    EXPECT_EQ(CountKind(*after, kOr), 0);
  }
}

TEST(PickByComparison, IndicesFromTheEnd) {
  GraphMaker make;
  Value* indices = make.In({3, 1}, DataType::kInt64);
  make.Out(make.Op(kGatherElements, {make.In({3, 4}), indices}, Attrs().Int("axis", 1)));
  EXPECT_EQ(CountKind(*Compared(make), kGatherElements), 0);
}

// The best ten, and what belongs to them; with the batch open and closed.
TEST(PickByComparison, SeveralOfAnAxis) {
  for (const Dim& batch : {Dim::Symbol("N"), Dim(2)}) {
    for (const int64_t axis : {1, 2}) {
      GraphMaker make;
      Value* x = make.In({batch, 4, 5});
      Value* two = make.Ops(kTopK, {x, make.Ints({2})}, 2, Attrs().Int("axis", axis))[1];
      make.Out(make.Op(kGatherElements, {x, two}, Attrs().Int("axis", axis)));
      Value* updates = make.Op(kGatherElements, {make.Op(kNeg, {x}), two}, Attrs().Int("axis", axis));
      make.Out(make.Op(kScatterElements, {x, two, updates}, Attrs().Int("axis", axis)));
      make.Out(make.Op(kScatterElements, {x, two, updates}, Attrs().Int("axis", axis).Text("reduction", "add")));
      const auto after = Compared(make);
      EXPECT_EQ(CountKind(*after, kGatherElements) + CountKind(*after, kScatterElements), 0);
    }
  }
}

TEST(PickByComparison, WholeNumbersToo) {
  GraphMaker make;
  Value* x = make.In({3, 4}, DataType::kInt64);
  make.Out(make.Op(kGatherElements, {x, make.In({3, 2}, DataType::kInt64)}, Attrs().Int("axis", 1)));
  EXPECT_EQ(CountKind(*Compared(make), kGatherElements), 0);
}

TEST(PickByComparison, FewerIndicesThanData) {
  GraphMaker make;
  Value* x = make.In({3, 4, 5});
  Value* indices = make.In({2, 4, 4}, DataType::kInt64);
  make.Out(make.Op(kGatherElements, {x, indices}, Attrs().Int("axis", 1)));
  Value* updates = make.In({2, 4, 4});
  make.Out(make.Op(kScatterElements, {x, indices, updates}, Attrs().Int("axis", 1).Text("reduction", "add")));
  const auto after = Compared(make);
  EXPECT_EQ(CountKind(*after, kGatherElements) + CountKind(*after, kScatterElements), 0);
}

TEST(PickByComparison, OtherReductionsStay) {
  GraphMaker make;
  make.Out(make.Op(kScatterElements, {make.In({3, 4}), make.In({3, 1}, DataType::kInt64), make.In({3, 1})},
                   Attrs().Int("axis", 1).Text("reduction", "mul")));
  EXPECT_EQ(CountKind(*Compared(make), kScatterElements), 1);
}

std::unique_ptr<Graph> Multiplied(GraphMaker& make, float low, float high) {
  std::vector<std::unique_ptr<Rule>> rules;
  rules.push_back(MakeScatterRowsByProduct());
  return ExpectSameAfter([&](Graph& graph) { return ApplyRules(graph, rules).status(); }, *make.graph, {}, low, high);
}

TEST(ScatterRows, ByOneIndexAndBySeveral) {
  for (const char* reduction : {"none", "add"}) {
    GraphMaker make;
    Value* x = make.In({4, 3, 2});
    // Each index once: of equal ones without reduction the standard promises nothing.
    Value* rows = make.Ops(kTopK, {make.In({4}), make.Ints({3})}, 2)[1];
    make.Out(make.Op(kScatterND, {x, make.Op(kUnsqueeze, {rows, make.Ints({1})}), make.In({3, 3, 2})},
                     Attrs().Text("reduction", reduction)));
    Value* pair = make.Op(kUnsqueeze, {make.Op(kSlice, {rows, make.Ints({0}), make.Ints({2})}), make.Ints({0})});
    make.Out(make.Op(kScatterND, {make.In({4, 4, 2}), pair, make.In({1, 2})}, Attrs().Text("reduction", reduction)));
    EXPECT_EQ(CountKind(*Multiplied(make, -1, 1), kScatterND), 0);
  }
}

TEST(ScatterRows, CountedFromTheEndAndAddedTwice) {
  GraphMaker make;
  make.Out(make.Op(kScatterND, {make.In({3, 2}), make.In({5, 1}, DataType::kInt64), make.In({5, 2})},
                   Attrs().Text("reduction", "add")));
  EXPECT_EQ(CountKind(*Multiplied(make, -3, 2), kScatterND), 0);
}

}  // namespace
}  // namespace slipway::testing
