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
