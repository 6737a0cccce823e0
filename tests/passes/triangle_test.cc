#include "convert/passes/triangle.h"

#include "tests/passes/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;

TEST(Triangle, MaskOfAnyDiagonal) {
  for (const bool by_product : {false, true}) {
    for (const int64_t upper : {0, 1}) {
      for (const int64_t k : {-2, 0, 3}) {
        SCOPED_TRACE(::testing::Message() << by_product << upper << k);
        GraphMaker make;
        Value* x = make.In({Dim::Symbol("N"), 4, 5});
        make.Out(make.Op(kTrilu, {x, make.Constant(Tensor::From<int64_t>({}, {k}))}, Attrs().Int("upper", upper)));
        if (k == 0) make.Out(make.Op(kTrilu, {x}, Attrs().Int("upper", upper)));
        std::vector<std::unique_ptr<Rule>> rules;
        rules.push_back(MakeTriangleByMask(by_product));
        const auto after =
            ExpectSameAfter([&](Graph& graph) { return ApplyRules(graph, rules).status(); }, *make.graph, {{"N", 2}});
        EXPECT_EQ(CountKind(*after, kTrilu), 0);
        EXPECT_EQ(CountKind(*after, by_product ? kWhere : kMul), 0);
      }
    }
  }
}

TEST(Triangle, SizesThatAreNotKnownStay) {
  GraphMaker make;
  make.Out(make.Op(kTrilu, {make.In({Dim::Symbol("N"), 4})}));
  std::vector<std::unique_ptr<Rule>> rules;
  rules.push_back(MakeTriangleByMask(false));
  EXPECT_FALSE(*ApplyRules(*make.graph, rules));
}

}  // namespace
}  // namespace slipway::testing
