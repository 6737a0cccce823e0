#include "convert/passes/scatter_box.h"

#include "tests/passes/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;

Tensor Places(const std::vector<std::pair<int64_t, int64_t>>& box, std::vector<int64_t> shape) {
  std::vector<int64_t> at, places;
  for (const auto& [begin, end] : box) at.push_back(begin);
  for (bool done = false; !done;) {
    places.insert(places.end(), at.begin(), at.end());
    done = true;
    for (size_t i = box.size(); i-- > 0 && done;) {
      done = ++at[i] == box[i].second;
      if (done) at[i] = box[i].first;
    }
  }
  return Tensor::From<int64_t>(std::move(shape), places);
}

std::unique_ptr<Graph> Concatenated(GraphMaker& make) {
  std::vector<std::unique_ptr<Rule>> rules;
  rules.push_back(MakeScatterBoxByConcat());
  return ExpectSameAfter([&](Graph& graph) { return ApplyRules(graph, rules).status(); }, *make.graph, {{"N", 2}});
}

TEST(ScatterBox, BecomesSlicesAndConcats) {
  GraphMaker make;
  Value* x = make.In({2, 3, 4, 5});
  make.Out(make.Op(kScatterND, {x, make.Constant(Places({{0, 2}, {0, 3}, {0, 4}, {1, 3}}, {2, 3, 4, 2, 4})),
                                make.In({2, 3, 4, 2})}));
  make.Out(make.Op(kScatterND, {x, make.Constant(Places({{1, 2}, {1, 3}}, {2, 2})), make.In({2, 4, 5})}));
  make.Out(make.Op(kScatterND, {x, make.Constant(Tensor::From<int64_t>({1, 1}, {-1})), make.In({1, 3, 4, 5})}));
  EXPECT_EQ(CountKind(*Concatenated(make), kScatterND), 0);
}

// y[:, 1:3] = … with the batch open, as an exporter writes it: the batch's places are a Range, spread over the box.
TEST(ScatterBox, IndicesOfOpenSizes) {
  for (const int64_t first : {0, 1}) {
    GraphMaker make;
    Value* x = make.In({Dim::Symbol("N"), 4, 3});
    const auto number = [&](int64_t value) { return make.Constant(Tensor::From<int64_t>({}, {value})); };
    Value* batch = make.Op(kGather, {make.Op(kShape, {x}), number(0)}, Attrs().Int("axis", 0));
    Value* range = make.Op(kRange, {number(0), batch, number(1)});
    Value* spread =
        make.Op(kConcat, {make.Op(kUnsqueeze, {batch, make.Ints({0})}), make.Ints({2, 1})}, Attrs().Int("axis", 0));
    Value* of_batch = make.Op(kExpand, {make.Op(kReshape, {range, make.Ints({-1, 1, 1})}), spread});
    Value* of_rows = make.Op(kExpand, {make.Constant(Tensor::From<int64_t>({1, 2, 1}, {first, first + 1})), spread});
    Value* places = make.Op(kConcat, {of_batch, of_rows}, Attrs().Int("axis", 2));
    make.Out(
        make.Op(kScatterND,
                {x, places, make.Op(kSlice, {make.Op(kNeg, {x}), make.Ints({0}), make.Ints({2}), make.Ints({1})})}));
    EXPECT_EQ(CountKind(*Concatenated(make), kScatterND), 0);
  }
}

// The first two of an open batch are not all of it.
TEST(ScatterBox, PartOfAnOpenBatch) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), 4});
  make.Out(make.Op(kScatterND, {x, make.Constant(Tensor::From<int64_t>({2, 1}, {0, 1})), make.In({2, 4})}));
  std::vector<std::unique_ptr<Rule>> rules;
  rules.push_back(MakeScatterBoxByConcat());
  const auto after =
      ExpectSameAfter([&](Graph& graph) { return ApplyRules(graph, rules).status(); }, *make.graph, {{"N", 3}});
  EXPECT_EQ(CountKind(*after, kScatterND), 0);
}

TEST(ScatterBox, IndicesOfDataStay) {
  GraphMaker make;
  make.Out(make.Op(
      kScatterND,
      {make.In({4, 3}), make.Op(kCast, {make.Op(kAbs, {make.In({1, 1})})}, Attrs().Int("to", 7)), make.In({1, 3})}));
  EXPECT_EQ(CountKind(*Concatenated(make), kScatterND), 1);
}

TEST(ScatterBox, OtherPlacesStay) {
  GraphMaker make;
  Value* x = make.In({4, 3});
  for (const std::vector<int64_t>& rows : std::vector<std::vector<int64_t>>{{0, 2}, {1, 0}, {1, 1}})
    make.Out(make.Op(kScatterND, {x, make.Constant(Tensor::From<int64_t>({2, 1}, rows)), make.In({2, 3})}));
  // A box's corners, but not its order.
  make.Out(make.Op(kScatterND, {x, make.Constant(Tensor::From<int64_t>({4, 1}, {0, 2, 1, 3})), make.In({4, 3})}));
  EXPECT_EQ(CountKind(*Concatenated(make), kScatterND), 4);
}

}  // namespace
}  // namespace slipway::testing
