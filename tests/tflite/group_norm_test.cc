// Group normalisation, native and as exporters write it, keeps the data in its layout.
#include <gmock/gmock.h>

#include "tests/tflite/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;

TEST(TfliteGroupNorm, NoTransposeOfTheDataAndTheSameNumbers) {
  for (const bool native : {true, false}) {
    GraphMaker make;
    Value* x = make.In({Dim::Symbol("N"), 3, Dim::Symbol("H"), Dim::Symbol("W")});
    Value* y = make.Conv(x, 8, 3);
    if (native) {
      y = make.Op(kGroupNormalization, {y, make.Random({8}), make.Random({8})}, Attrs().Int("num_groups", 4));
    } else {
      Value* grouped = make.Op(kReshape, {y, make.Ints({0, 4, -1})});
      Value* ones = make.Constant(Tensor::Float32s({1, 1, 1, 1}));
      Value* normal = make.Op(kInstanceNormalization, {grouped, ones, make.Constant(Tensor::Float32s({0, 0, 0, 0}))});
      y = make.Op(kReshape, {normal, make.Op(kShape, {y})});
      y = make.Op(kAdd, {make.Op(kMul, {y, make.Random({8, 1, 1})}), make.Random({8, 1, 1})});
    }
    make.Out(make.Op(kReduceMean, {make.Conv(y, 5, 3), make.Ints({2, 3})}));
    const auto difference =
        CompareInLitert(*make.graph, {{{"N", 1}, {"H", 9}, {"W", 8}}, {{"N", 3}, {"H", 7}, {"W", 12}}});
    ASSERT_TRUE(difference.ok()) << difference.status();
    EXPECT_LT(*difference, 1e-5);
    const auto folder = TemporaryFolder::Create("/tmp", "slipway-tflite-case-");
    std::unique_ptr<Graph> legalized;
    ASSERT_TRUE(ConvertToTflite(*make.graph, folder->path(), &legalized).ok());
    EXPECT_EQ(CountKind(*legalized, kTranspose), 1)
        << (native ? "native" : "by InstanceNormalization");  // of the input
  }
}

}  // namespace
}  // namespace slipway::testing
