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

void ExpectSameAt(GraphMaker& make, const std::vector<std::map<std::string, int64_t>>& sizes) {
  const auto difference = CompareInLitert(*make.graph, sizes);
  ASSERT_TRUE(difference.ok()) << difference.status();
  EXPECT_LT(*difference, 1e-5);
}

const std::vector<std::map<std::string, int64_t>> kTwoSizes = {{{"N", 1}, {"H", 6}, {"W", 8}},
                                                               {{"N", 2}, {"H", 10}, {"W", 4}}};

// A decoder's interpolate(x, size=skip.shape[-2:]), sizes known only at run time.
TEST(TfliteShape, ResizeToAnothersSize) {
  for (const char* mode : {"nearest", "linear"}) {
    SCOPED_TRACE(mode);
    GraphMaker make;
    Value* x = make.In({Dim::Symbol("N"), 3, Dim::Symbol("H"), Dim::Symbol("W")});
    Value* small = make.Conv(x, 4, 3, {2, 2}, {1, 1, 1, 1});
    Value* sizes = make.Op(kConcat,
                           {make.Op(kShape, {small}, Attrs().Int("start", 0).Int("end", 2)),
                            make.Op(kShape, {x}, Attrs().Int("start", 2))},
                           Attrs().Int("axis", 0));
    make.Out(make.Op(kResize, {small, nullptr, nullptr, sizes},
                     Attrs()
                         .Text("mode", mode)
                         .Text("coordinate_transformation_mode", *mode == 'n' ? "asymmetric" : "half_pixel")
                         .Text("nearest_mode", "floor")));
    ExpectSameAt(make, kTwoSizes);
  }
}

TEST(TfliteShape, ExpandToAComputedShape) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), 1, Dim::Symbol("H")});
  Value* other =
      make.Op(kConcat, {make.In({Dim::Symbol("N"), 3, 2}), make.In({Dim::Symbol("N"), 5, 2})}, Attrs().Int("axis", 1));
  Value* rows = make.Op(kMul, {make.Op(kShape, {other}, Attrs().Int("start", 1).Int("end", 2)),
                               make.Op(kShape, {x}, Attrs().Int("start", 2))});
  Value* shape = make.Op(kConcat, {make.Ints({1}), rows, make.Ints({1})}, Attrs().Int("axis", 0));
  make.Out(make.Op(kExpand, {x, shape}));
  ExpectSameAt(make, {{{"N", 1}, {"H", 4}}, {{"N", 2}, {"H", 3}}});
}

TEST(TfliteShape, TransposedLines) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), 4, 9});
  make.Out(make.Op(kConvTranspose, {x, make.Random({4, 3, 4}), make.Random({3})},
                   Attrs().Ints("strides", {2}).Ints("pads", {1, 1})));
  ExpectSameAt(make, {{{"N", 1}}, {{"N", 2}}});
}

// What stands for an unknown size while the file is loaded must be larger than the mirror.
TEST(TfliteShape, MirrorsOfRuntimeSizes) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), 3, Dim::Symbol("H"), Dim::Symbol("W")});
  make.Out(make.Op(kPad, {x, make.Ints({0, 0, 3, 2, 0, 0, 1, 3})}, Attrs().Text("mode", "reflect")));
  ExpectSameAt(make, kTwoSizes);
}

// The difference of two sizes as pads: a decoder's F.pad(u, (0, skip.W - u.W, 0, skip.H - u.H)).
TEST(TfliteShape, PadsToAnothersSize) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), 3, Dim::Symbol("H"), Dim::Symbol("W")});
  Value* half = make.Op(kMaxPool, {x}, Attrs().Ints("kernel_shape", {4, 4}).Ints("strides", {4, 4}));
  Value* small = make.Op(kConvTranspose, {half, make.Random({3, 4, 4, 4})}, Attrs().Ints("strides", {4, 4}));
  const auto sizes = [&](Value* value) { return make.Op(kShape, {value}, Attrs().Int("start", 2)); };
  Value* ends = make.Op(kSub, {sizes(x), sizes(small)});
  Value* pads = make.Op(kConcat, {make.Ints({0, 0, 0, 0, 0, 0}), ends}, Attrs().Int("axis", 0));
  make.Out(make.Conv(make.Op(kPad, {small, pads}), 2, 1));
  ExpectSameAt(make, {{{"N", 1}, {"H", 6}, {"W", 8}}, {{"N", 2}, {"H", 11}, {"W", 5}}});
}

// Positions for as many steps as there are: pe[:, :x.size(1)].
TEST(TfliteShape, CutsToAnothersSize) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), Dim::Symbol("H"), 4});
  Value* count = make.Op(kShape, {x}, Attrs().Int("start", 1).Int("end", 2));
  Value* cut = make.Op(kSlice, {make.Random({1, 20, 4}), make.Ints({0}), count, make.Ints({1})});
  make.Out(make.Op(kAdd, {x, cut}));
  Value* rest = make.Op(kSlice, {make.Random({1, 20, 4}), count, make.Ints({INT64_MAX}), make.Ints({1})});
  make.Out(rest);
  ExpectSameAt(make, {{{"N", 1}, {"H", 6}}, {{"N", 2}, {"H", 11}}});
}

TEST(TfliteShape, SamplesOfAnyBatch) {
  GraphMaker make;
  Value *x = make.In({Dim::Symbol("N"), 3, 5, 7}), *grid = make.In({Dim::Symbol("N"), 4, 6, 2});
  make.Out(make.Op(kGridSample, {make.Conv(x, 4, 1), grid}));
  make.Out(make.Op(kGridSample, {x, grid}, Attrs().Text("padding_mode", "border").Int("align_corners", 1)));
  ExpectSameAt(make, {{{"N", 1}}, {{"N", 2}}});
}

TEST(TfliteShape, CubicOfAnySize) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), 3, Dim::Symbol("H"), Dim::Symbol("W")});
  Value* scales = make.Constant(Tensor::Float32s({1, 1, 2, 2}));
  make.Out(make.Op(kResize, {make.Conv(x, 2, 3), nullptr, scales},
                   Attrs().Text("mode", "cubic").Text("coordinate_transformation_mode", "align_corners")));
  ExpectSameAt(make, kTwoSizes);
}

TEST(TfliteShape, QuotientsOfSizes) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), 3, Dim::Symbol("H"), Dim::Symbol("W")});
  Value* half = make.Op(kDiv, {make.Op(kShape, {x}, Attrs().Int("start", 2)), make.Ints({2, 3})});
  make.Out(make.Op(kSlice, {x, make.Ints({0, 0}), half, make.Ints({2, 3})}));
  ExpectSameAt(make, kTwoSizes);
}

}  // namespace
}  // namespace slipway::testing
