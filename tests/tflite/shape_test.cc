// Sizes that only the run knows: nothing of it is computed where the inputs tell.
#include <gmock/gmock.h>

#include "tests/tflite/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;

// A class token for each sample, as exporters write cls.expand(batch, -1, -1).
TEST(TfliteShape, TokenExpandedToTheBatch) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), 5, 4});
  Value* batch = make.Op(kShape, {x}, Attrs().Int("start", 0).Int("end", 1));
  Value* shape = make.Op(kConcat, {batch, make.Ints({1, 4})}, Attrs().Int("axis", 0));
  Value* token = make.Op(kExpand, {make.Random({1, 1, 4}), shape});
  make.Out(make.Op(kConcat, {token, x}, Attrs().Int("axis", 1)));
  const auto difference = CompareInLitert(*make.graph, {{{"N", 1}}, {{"N", 3}}});
  ASSERT_TRUE(difference.ok()) << difference.status();
  EXPECT_EQ(*difference, 0);
  const auto folder = TemporaryFolder::Create("/tmp", "slipway-tflite-case-");
  std::unique_ptr<Graph> legalized;
  ASSERT_TRUE(ConvertToTflite(*make.graph, folder->path(), &legalized).ok());
  EXPECT_EQ(CountKind(*legalized, kShape) + CountKind(*legalized, kExpand), 0);
}

// interpolate(x, size=y.shape[-2:]) of a batch.
TEST(TfliteShape, SizesComputedWithTheBatch) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), 3, 4, 6});
  Value* sizes = make.Op(kConcat, {make.Op(kShape, {x}, Attrs().Int("start", 0).Int("end", 2)), make.Ints({9, 11})},
                         Attrs().Int("axis", 0));
  make.Out(make.Op(kResize, {make.Conv(x, 3, 1), nullptr, nullptr, sizes}, Attrs().Text("mode", "linear")));
  const auto difference = CompareInLitert(*make.graph, {{{"N", 2}}, {{"N", 1}}});
  ASSERT_TRUE(difference.ok()) << difference.status();
  EXPECT_LT(*difference, 1e-5);
  const auto folder = TemporaryFolder::Create("/tmp", "slipway-tflite-case-");
  std::unique_ptr<Graph> legalized;
  ASSERT_TRUE(ConvertToTflite(*make.graph, folder->path(), &legalized).ok());
  EXPECT_EQ(CountKind(*legalized, kShape) + CountKind(*legalized, kConcat), 0);
}

}  // namespace
}  // namespace slipway::testing
