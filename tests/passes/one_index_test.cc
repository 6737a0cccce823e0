#include "convert/passes/one_index.h"

#include "tests/passes/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;

std::unique_ptr<Graph> Compared(GraphMaker& make) {
  std::vector<std::unique_ptr<Rule>> rules;
  rules.push_back(MakeOneIndexByComparison());
  return ExpectSameAfter([&](Graph& graph) { return ApplyRules(graph, rules).status(); }, *make.graph, {{"N", 2}}, -4,
                         3);
}

// torch.gather(x, 1, x.argmax(1, keepdim=True)) and its scatter.
TEST(OneIndex, TheChosenIsSummedOrReplaced) {
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

TEST(OneIndex, IndicesFromTheEnd) {
  GraphMaker make;
  Value* indices = make.In({3, 1}, DataType::kInt64);
  make.Out(make.Op(kGatherElements, {make.In({3, 4}), indices}, Attrs().Int("axis", 1)));
  EXPECT_EQ(CountKind(*Compared(make), kGatherElements), 0);
}

TEST(OneIndex, SeveralStay) {
  GraphMaker make;
  Value* x = make.In({2, 4, 5});
  Value* two = make.Ops(kTopK, {x, make.Ints({2})}, 2, Attrs().Int("axis", 1))[1];
  make.Out(make.Op(kGatherElements, {x, two}, Attrs().Int("axis", 1)));
  EXPECT_EQ(CountKind(*Compared(make), kGatherElements), 1);
}

}  // namespace
}  // namespace slipway::testing
