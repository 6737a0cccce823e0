#include "convert/passes/wrap_pads.h"

#include "tests/passes/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;

// onnxruntime's own Pad is the reference: opset 19 has the mode.
std::unique_ptr<Graph> Sliced(GraphMaker& make) {
  std::vector<std::unique_ptr<Rule>> rules;
  rules.push_back(MakeWrapBySlices());
  return ExpectSameAfter([&](Graph& graph) { return ApplyRules(graph, rules).status(); }, *make.graph,
                         {{"H", 5}, {"W", 7}});
}

TEST(WrapPads, BecomeSlices) {
  GraphMaker make;
  make.Out(make.Op(kPad, {make.In({1, 2, Dim::Symbol("H"), Dim::Symbol("W")}), make.Ints({0, 0, 2, 1, 0, 0, 0, 3})},
                   Attrs().Text("mode", "wrap")));
  make.Out(make.Op(kPad, {make.In({2, 3, 4}), make.Ints({0, 3, 3, 0, 0, 2})}, Attrs().Text("mode", "wrap")));
  EXPECT_EQ(CountKind(*Sliced(make), kPad), 0);
}

TEST(WrapPads, OtherModesStay) {
  GraphMaker make;
  make.Out(make.Op(kPad, {make.In({2, 3, 4}), make.Ints({0, 1, 1, 0, 0, 2})}, Attrs().Text("mode", "edge")));
  EXPECT_EQ(CountKind(*Sliced(make), kPad), 1);
}

}  // namespace
}  // namespace slipway::testing
