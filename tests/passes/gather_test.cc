// Gathers by counted indices, as PyTorch's exporter writes as_strided, and by tables of indices, as it writes unfold.
#include "convert/passes/gather_indices.h"
#include "tests/passes/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;

std::unique_ptr<Graph> Fold(GraphMaker& make) {
  return ExpectSameAfter(
      [](Graph& graph) {
        RETURN_IF_ERROR(MakeFoldConstants()->Run(graph).status());
        return MakeRemoveDead()->Run(graph).status();
      },
      *make.graph, {{"N", 3}});
}

// y[:, -1] of a sequence of any length.
TEST(TakeFromEnd, IsASliceWhereTheSizeIsOpen) {
  GraphMaker make;
  Value* x = make.In({2, Dim::Symbol("N"), 3});
  for (const int64_t at : {-1, -2}) {
    make.Out(make.Op(kGather, {x, make.Constant(Tensor::From<int64_t>({}, {at}))}, Attrs().Int("axis", 1)));
    make.Out(make.Op(kGather, {x, make.Ints({at})}, Attrs().Int("axis", -2)));
  }
  make.Out(make.Op(kGather, {x, make.Ints({-1})}, Attrs().Int("axis", 2)));  // of a known size
  std::vector<std::unique_ptr<Rule>> rules;
  rules.push_back(MakeTakeFromEnd());
  const auto after =
      ExpectSameAfter([&](Graph& graph) { return ApplyRules(graph, rules).status(); }, *make.graph, {{"N", 3}});
  EXPECT_EQ(CountKind(*after, kGather), 1);
}

// flat[range(N) * step + range(4)] of 4 N elements; every one in order when the step is 4.
void Gathered(GraphMaker& make, int64_t step, int64_t first) {
  const auto scalar = [&](int64_t number) { return make.Constant(Tensor::From<int64_t>({}, {number})); };
  Value* x = make.In({Dim::Symbol("N"), 4, 1, 1});
  Value* flat = make.Op(kReshape, {x, make.Ints({-1})});
  Value* count = make.Op(kGather, {make.Op(kShape, {x}), scalar(0)});
  Value* rows = make.Op(kMul, {make.Op(kRange, {scalar(0), count, scalar(1)}), scalar(step)});
  Value* columns = make.Constant(Tensor::From<int64_t>({1, 4, 1}, {first, first + 1, first + 2, first + 3}));
  Value* indices = make.Op(kAdd, {make.Op(kUnsqueeze, {rows, make.Ints({1, 2})}), columns});
  make.Out(make.Op(kGather, {flat, indices}, Attrs().Int("axis", 0)));
}

TEST(GatherToReshape, AllElementsInOrderAreAReshape) {
  GraphMaker make;
  Gathered(make, 4, 0);
  const auto folded = Fold(make);
  EXPECT_EQ(CountKind(*folded, kGather), 0);
  EXPECT_EQ(folded->node_count(), 1u);
}

TEST(GatherToReshape, OtherStepsAndStartsStay) {
  for (const auto& [step, first] : std::vector<std::pair<int64_t, int64_t>>{{3, 0}, {2, 1}, {0, 0}, {4, -1}}) {
    GraphMaker make;
    Gathered(make, step, first);
    EXPECT_GE(CountKind(*Fold(make), kGather), 1);
  }
}

TEST(GatherToReshape, ConstantIndices) {
  GraphMaker make;
  Value* x = make.In({2, 6});
  make.Out(
      make.Op(kGather, {x, make.Constant(Tensor::From<int64_t>({2, 3}, {0, 1, 2, 3, 4, 5}))}, Attrs().Int("axis", 1)));
  make.Out(
      make.Op(kGather, {x, make.Constant(Tensor::From<int64_t>({2, 3}, {0, 1, 2, 3, 5, 4}))}, Attrs().Int("axis", 1)));
  EXPECT_EQ(CountKind(*Fold(make), kGather), 1);
}

TEST(FlattenGatherIndices, TablesBecomeLists) {
  for (const int64_t axis : {0, 2, -1}) {
    SCOPED_TRACE(axis);
    GraphMaker make;
    Value* table = make.Constant(Tensor::From<int64_t>({2, 3}, {0, 2, 4, 1, -1, 4}));
    make.Out(make.Op(kGather, {make.In({5, Dim::Symbol("N"), 5}), table}, Attrs().Int("axis", axis)));
    std::vector<std::unique_ptr<Rule>> rules;
    rules.push_back(MakeFlattenGatherIndices());
    const auto after =
        ExpectSameAfter([&](Graph& graph) { return ApplyRules(graph, rules).status(); }, *make.graph, {{"N", 3}});
    ASSERT_EQ(CountKind(*after, kGather), 1);
    for (const auto& node : after->nodes()) {
      if (node->kind == kGather) {
        EXPECT_EQ(node->constant(1)->shape(), std::vector<int64_t>{6});
      }
    }
  }
}

// x[:, [3, 1, -1]] and adaptive pools, as PyTorch's newer exporter writes them.
TEST(FlattenGatherNd, ConstantPlacesBecomeLists) {
  GraphMaker make;
  Value* x = make.In({4, 5, Dim::Symbol("N"), 3});
  make.Out(make.Op(kGatherND, {x, make.Constant(Tensor::From<int64_t>({3, 1}, {3, 1, -1}))}));
  make.Out(make.Op(kGatherND, {x, make.Constant(Tensor::From<int64_t>({2, 2, 2}, {0, 0, 3, -1, 1, 2, -2, 4}))}));
  std::vector<std::unique_ptr<Rule>> rules;
  rules.push_back(MakeFlattenGatherNd());
  const auto after =
      ExpectSameAfter([&](Graph& graph) { return ApplyRules(graph, rules).status(); }, *make.graph, {{"N", 2}});
  EXPECT_EQ(CountKind(*after, kGatherND), 0);
  EXPECT_EQ(CountKind(*after, kGather), 2);
}

}  // namespace
}  // namespace slipway::testing
