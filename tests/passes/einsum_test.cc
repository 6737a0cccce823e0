#include "convert/passes/einsum.h"

#include "tests/passes/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;

std::unique_ptr<Graph> Decomposed(GraphMaker& make, const std::map<std::string, int64_t>& sizes = {}) {
  std::vector<std::unique_ptr<Rule>> rules;
  rules.push_back(MakeDecomposeEinsum());
  return ExpectSameAfter([&](Graph& graph) { return ApplyRules(graph, rules).status(); }, *make.graph, sizes);
}

TEST(Einsum, BecomesProductsOfMatrices) {
  struct Case {
    const char* equation;
    std::vector<Shape> operands;
    int products;
  };
  const Dim batch = Dim::Symbol("N");
  const std::vector<Case> cases = {
      {"bij,bjk->bik", {{batch, 3, 4}, {batch, 4, 5}}, 1},
      {"bhid,bhjd->bhij", {{batch, 2, 3, 4}, {batch, 2, 5, 4}}, 1},
      {"bhij,bhjd->bihd", {{batch, 2, 3, 4}, {batch, 2, 4, 5}}, 1},
      {"nchw, ck -> nkhw", {{batch, 3, 4, 5}, {3, 6}}, 1},
      {"bxhd,hkd->bhxk", {{batch, 3, 2, 4}, {2, 5, 4}}, 1},
      {"ij,kj", {{3, 4}, {5, 4}}, 1},
      {"i,j->ij", {{3}, {4}}, 1},
      {"bij,bij->b", {{batch, 3, 4}, {batch, 3, 4}}, 1},
      {"bijx,bj->bi", {{batch, 3, 4, 2}, {batch, 4}}, 1},
      {"ijk->kj", {{3, 4, 5}}, 0},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.equation);
    GraphMaker make;
    std::vector<Value*> operands;
    for (const Shape& shape : each.operands) operands.push_back(make.In(shape));
    make.Out(make.Op(kEinsum, operands, Attrs().Text("equation", each.equation)));
    const auto after = Decomposed(make, {{"N", 3}});
    EXPECT_EQ(CountKind(*after, kEinsum), 0);
    EXPECT_EQ(CountKind(*after, kMatMul), each.products);
  }
}

TEST(Einsum, DiagonalsEllipsesAndBroadcastsStay) {
  const std::vector<std::pair<const char*, std::vector<Shape>>> cases = {
      {"ii->i", {{3, 3}}}, {"...ij,jk->...ik", {{2, 3, 4}, {4, 5}}}, {"bij,bjk->bik", {{1, 3, 4}, {2, 4, 5}}}};
  for (const auto& [equation, shapes] : cases) {
    SCOPED_TRACE(equation);
    GraphMaker make;
    std::vector<Value*> operands;
    for (const Shape& shape : shapes) operands.push_back(make.In(shape));
    make.Out(make.Op(kEinsum, operands, Attrs().Text("equation", equation)));
    EXPECT_EQ(CountKind(*Decomposed(make), kEinsum), 1);
  }
}

}  // namespace
}  // namespace slipway::testing
