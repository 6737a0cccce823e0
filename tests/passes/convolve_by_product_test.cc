#include "convert/passes/convolve_by_product.h"

#include "tests/passes/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;

std::unique_ptr<Graph> Multiplied(GraphMaker& make) {
  std::vector<std::unique_ptr<Rule>> rules;
  rules.push_back(MakeConvolveByProduct());
  return ExpectSameAfter([&](Graph& graph) { return ApplyRules(graph, rules).status(); }, *make.graph, {{"N", 2}});
}

TEST(ConvolveByProduct, ComputedWeightsOfEveryForm) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), 4, 7, 6});
  Value* bias = make.In({6});
  make.Out(make.Op(kConv, {x, make.In({6, 4, 3, 2}), bias}, Attrs().Ints("pads", {1, 0, 2, 1})));
  make.Out(make.Op(kConv, {x, make.In({6, 2, 3, 3})}, Attrs().Int("group", 2).Ints("strides", {2, 1})));
  make.Out(
      make.Op(kConv, {x, make.In({4, 1, 2, 2}), make.Random({4})}, Attrs().Int("group", 4).Ints("dilations", {2, 3})));
  make.Out(make.Op(kConv, {x, make.In({6, 4, 1, 1})}));
  make.Out(make.Op(kConv, {make.In({2, 3, 9}), make.In({5, 3, 4})}, Attrs().Ints("strides", {2})));
  EXPECT_EQ(CountKind(*Multiplied(make), kConv), 0);
}

// A batch that is searched, each of its images with its own template: groups of what is one image.
TEST(ConvolveByProduct, ATemplateInAnImage) {
  GraphMaker make;
  Value* image = make.Op(kReshape, {make.In({2, 3, 8, 8}), make.Ints({1, 6, 8, 8})});
  Value* part = make.Op(kReshape, {make.In({2, 3, 4, 4}), make.Ints({6, 1, 4, 4})});
  make.Out(make.Op(kConv, {image, part}, Attrs().Int("group", 6)));
  EXPECT_EQ(CountKind(*Multiplied(make), kConv), 0);
}

TEST(ConvolveByProduct, ConstantWeightsAndOpenSizesStay) {
  GraphMaker make;
  make.Out(make.Conv(make.In({1, 2, 5, 5}), 3, 3));
  make.Out(make.Op(kConv, {make.In({1, 2, Dim::Symbol("N"), 5}), make.In({3, 2, 1, 1})}));
  EXPECT_EQ(CountKind(*Multiplied(make), kConv), 2);
}

}  // namespace
}  // namespace slipway::testing
