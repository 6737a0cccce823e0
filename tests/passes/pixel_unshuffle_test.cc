#include "convert/passes/pixel_unshuffle.h"

#include "convert/passes/negative_pads.h"
#include "tests/passes/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;

std::unique_ptr<Graph> After(GraphMaker& make, std::unique_ptr<Rule> rule) {
  std::vector<std::unique_ptr<Rule>> rules;
  rules.push_back(std::move(rule));
  return ExpectSameAfter(
      [&](Graph& graph) {
        RETURN_IF_ERROR(ApplyRules(graph, rules).status());
        return MakeRemoveDead()->Run(graph).status();
      },
      *make.graph, {{"N", 2}, {"H", 6}, {"W", 8}});
}

// x.view(n, c, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4).reshape(n, 4 * c, h // 2, w // 2)
TEST(PixelUnshuffle, OfAnySize) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), 3, Dim::Symbol("H"), Dim::Symbol("W")});
  const auto size = [&](int64_t axis) { return make.Op(kShape, {x}, Attrs().Int("start", axis).Int("end", axis + 1)); };
  const auto concat = [&](std::vector<Value*> parts) { return make.Op(kConcat, parts, Attrs().Int("axis", 0)); };
  Value *h = make.Op(kDiv, {size(2), make.Ints({2})}), *w = make.Op(kDiv, {size(3), make.Ints({2})});
  Value* y = make.Op(kReshape, {x, concat({size(0), make.Ints({3}), h, make.Ints({2}), w, make.Ints({2})})});
  y = make.Op(kTranspose, {y}, Attrs().Ints("perm", {0, 1, 3, 5, 2, 4}));
  make.Out(make.Op(kReshape, {y, concat({size(0), make.Ints({12}), h, w})}));
  const auto after = After(make, MakeUnshuffleByConvolution());
  EXPECT_EQ(CountKind(*after, kConv), 1);
  EXPECT_EQ(after->node_count(), 1u);
}

TEST(NegativePads, AreCutFirst) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), 3, Dim::Symbol("H"), Dim::Symbol("W")});
  make.Out(make.Op(kPad, {x, make.Ints({0, 1, -1, -2, 0, 0, 2, -1}), make.Constant(Tensor::Scalar(0.5f))}));
  make.Out(make.Op(kPad, {x, make.Ints({-1, 2, 0, -3}), nullptr, make.Ints({-1, 2})}, Attrs().Text("mode", "edge")));
  const auto after = After(make, MakeCropBySlice());
  EXPECT_EQ(CountKind(*after, kSlice), 2);
  for (const auto& node : after->nodes()) {
    if (node->kind != kPad) continue;
    for (const int64_t amount : node->constant(1)->ToInt64s()) EXPECT_GE(amount, 0);
  }
}

}  // namespace
}  // namespace slipway::testing
