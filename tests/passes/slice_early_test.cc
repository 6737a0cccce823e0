#include "convert/passes/slice_early.h"

#include "tests/passes/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;

std::unique_ptr<Graph> Sliced(GraphMaker& make, int64_t most) {
  std::vector<std::unique_ptr<Rule>> rules;
  rules.push_back(MakeSliceBeforeMove(most));
  return ExpectSameAfter(
      [&](Graph& graph) {
        RETURN_IF_ERROR(ApplyRules(graph, rules).status());
        RETURN_IF_ERROR(MakeFoldConstants()->Run(graph).status());
        return MakeRemoveDead()->Run(graph).status();
      },
      *make.graph, {{"N", 2}});
}

// The largest number of axes longer than one.
int LongAxes(const Graph& graph) {
  int most = 0;
  for (const Value* value : graph.values()) {
    int count = 0;
    for (const Dim& size : value->shape.value_or(Shape{})) count += size == Dim(1) ? 0 : 1;
    most = std::max(most, count);
  }
  return most;
}

Value* Heads(GraphMaker& make) {
  Value* x = make.Op(kMatMul, {make.In({Dim::Symbol("N"), 6, 8}), make.Random({8, 24})});
  return make.Op(kReshape, {x, make.Ints({-1, 6, 3, 2, 4})});
}

TEST(SliceBeforeMove, QueriesKeysAndValues) {
  GraphMaker make;
  Value* y = make.Op(kTranspose, {Heads(make)}, Attrs().Ints("perm", {2, 0, 3, 1, 4}));
  for (const int64_t i : {0, 1, -1})
    make.Out(make.Op(kGather, {y, make.Constant(Tensor::From<int64_t>({}, {i}))}, Attrs().Int("axis", 0)));
  EXPECT_EQ(LongAxes(*Sliced(make, 4)), 4);
}

TEST(SliceBeforeMove, PartsThatKeepTheAxis) {
  GraphMaker make;
  Value* x = Heads(make);
  for (Value* part : make.Ops(kSplit, {x, make.Ints({1, 1, 1})}, 3, Attrs().Int("axis", 2)))
    make.Out(make.Op(kSqueeze, {part, make.Ints({2})}));
  make.Out(make.Op(kSlice, {x, make.Ints({1}), make.Ints({2}), make.Ints({-3})}));
  make.Out(make.Op(kGather, {x, make.Ints({2})}, Attrs().Int("axis", 2)));
  EXPECT_EQ(LongAxes(*Sliced(make, 4)), 4);
}

TEST(SliceBeforeMove, OthersStay) {
  GraphMaker make;
  Value* x = Heads(make);
  make.Out(
      make.Op(kGather, {x, make.Constant(Tensor::From<int64_t>({}, {1}))}, Attrs().Int("axis", 3)));  // not leading
  make.Out(make.Op(kGather, {x, make.Ints({0, 2})}, Attrs().Int("axis", 2)));                         // no run
  EXPECT_EQ(LongAxes(*Sliced(make, 4)), 5);
  GraphMaker few;
  few.Out(few.Op(kGather, {Heads(few), few.Constant(Tensor::From<int64_t>({}, {1}))}, Attrs().Int("axis", 2)));
  EXPECT_EQ(LongAxes(*Sliced(few, 5)), 5);
}

}  // namespace
}  // namespace slipway::testing
