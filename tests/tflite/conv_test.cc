#include "tests/tflite/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;
using Sizes = std::vector<std::map<std::string, int64_t>>;

void ExpectSame(GraphMaker& make, Value* output, const Sizes& sizes = {{}}, double limit = 2e-5) {
  make.Out(output);
  const auto error = CompareInLitert(*make.graph, sizes);
  ASSERT_TRUE(error.ok()) << error.status();
  EXPECT_LT(*error, limit);
}

struct ConvCase {
  int64_t channels, out, kernel, groups;
  std::vector<int64_t> strides, dilations, pads;
  std::string auto_pad = "NOTSET";
};

TEST(TfliteConv, StridesPadsDilationsGroups) {
  const ConvCase cases[] = {
      {3, 4, 3, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}},     {3, 4, 3, 1, {1, 1}, {1, 1}, {1, 1, 1, 1}},
      {3, 4, 3, 1, {2, 2}, {1, 1}, {1, 1, 1, 1}},     {3, 4, 3, 1, {2, 1}, {1, 1}, {0, 1, 1, 1}},
      {3, 4, 3, 1, {1, 1}, {2, 2}, {2, 2, 2, 2}},     {3, 4, 2, 1, {1, 1}, {1, 1}, {1, 0, 0, 1}},
      {3, 4, 5, 1, {3, 2}, {1, 1}, {4, 0, 3, 2}},     {4, 4, 3, 4, {1, 1}, {1, 1}, {1, 1, 1, 1}},
      {4, 8, 3, 4, {2, 2}, {1, 1}, {1, 1, 1, 1}},     {4, 4, 3, 4, {1, 1}, {2, 2}, {2, 2, 2, 2}},
      {4, 6, 3, 2, {1, 1}, {1, 1}, {1, 1, 1, 1}},     {6, 9, 1, 3, {2, 2}, {1, 1}, {0, 0, 0, 0}},
      {3, 4, 3, 1, {2, 2}, {1, 1}, {}, "SAME_UPPER"}, {3, 4, 4, 1, {1, 1}, {1, 1}, {}, "SAME_LOWER"},
  };
  for (const ConvCase& c : cases) {
    SCOPED_TRACE(::testing::PrintToString(&c - cases));
    GraphMaker make;
    Value* data = make.In({1, c.channels, 11, 14});
    Attrs attrs = Attrs()
                      .Ints("strides", c.strides)
                      .Ints("dilations", c.dilations)
                      .Int("group", c.groups)
                      .Text("auto_pad", c.auto_pad);
    if (!c.pads.empty()) attrs = attrs.Ints("pads", c.pads);
    ExpectSame(
        make,
        make.Op(kConv, {data, make.Random({c.out, c.channels / c.groups, c.kernel, c.kernel}), make.Random({c.out})},
                attrs));
  }
}

TEST(TfliteConv, DynamicSizes) {
  for (const auto& pads : std::vector<std::vector<int64_t>>{{0, 0, 0, 0}, {1, 1, 1, 1}, {0, 1, 2, 1}}) {
    for (int64_t stride : {1, 2}) {
      GraphMaker make;
      Value* data = make.In({Dim::Symbol("N"), 3, Dim::Symbol("H"), Dim::Symbol("W")});
      ExpectSame(make, make.Conv(data, 4, 3, {stride, stride}, pads),
                 {{{"N", 1}, {"H", 9}, {"W", 16}}, {{"N", 2}, {"H", 12}, {"W", 7}}});
    }
  }
}

TEST(TfliteConv, VolumesInGroupsAndTransposed) {
  const Sizes batches = {{{"N", 1}}, {{"N", 2}}};
  for (const int64_t groups : {1, 2, 4}) {
    GraphMaker make;
    Value* data = make.In({Dim::Symbol("N"), 4, 5, 6, 7});
    ExpectSame(make,
               make.Op(kConv, {data, make.Random({8, 4 / groups, 3, 3, 2}), make.Random({8})},
                       Attrs().Int("group", groups).Ints("strides", {1, 2, 1}).Ints("pads", {1, 1, 0, 1, 0, 1})),
               batches);
  }
  for (const int64_t groups : {1, 2}) {
    SCOPED_TRACE(groups);
    GraphMaker make;
    Value* data = make.In({Dim::Symbol("N"), 4, 3, 4, 5});
    make.Out(make.Op(kConvTranspose, {data, make.Random({4, 6 / groups, 2, 2, 2}), make.Random({6})},
                     Attrs().Int("group", groups).Ints("strides", {2, 2, 2})));
    ExpectSame(make,
               make.Op(kConvTranspose, {data, make.Random({4, 6 / groups, 3, 4, 3})},
                       Attrs()
                           .Int("group", groups)
                           .Ints("strides", {2, 2, 1})
                           .Ints("pads", {1, 1, 0, 1, 1, 1})
                           .Ints("output_padding", {1, 0, 0})),
               batches);
  }
}

TEST(TfliteConv, TransposedOfAnyBatch) {
  GraphMaker make;
  Value* data = make.In({Dim::Symbol("N"), 4, 5, 6});
  ExpectSame(make,
             make.Op(kConvTranspose, {data, make.Random({4, 3, 3, 5}), make.Random({3})},
                     Attrs().Ints("strides", {1, 3}).Ints("pads", {1, 2, 1, 2})),
             {{{"N", 1}}, {{"N", 3}}});
}

TEST(TfliteConv, LinesOfAnyLength) {
  GraphMaker make;
  Value* data = make.In({Dim::Symbol("N"), 3, Dim::Symbol("L")});
  Value* conv = make.Op(kConv, {data, make.Random({4, 3, 3}), make.Random({4})},
                        Attrs().Ints("dilations", {2}).Ints("pads", {4, 0}));
  ExpectSame(make, make.Op(kMaxPool, {make.Op(kRelu, {conv})}, Attrs().Ints("kernel_shape", {2}).Ints("strides", {2})),
             {{{"N", 1}, {"L", 16}}, {{"N", 2}, {"L", 11}}});
}

TEST(TfliteConv, OneDimensional) {
  GraphMaker make;
  Value* data = make.In({2, 3, 17});
  Value* conv = make.Op(kConv, {data, make.Random({4, 3, 3}), make.Random({4})},
                        Attrs().Ints("strides", {2}).Ints("pads", {2, 1}));
  ExpectSame(make, make.Op(kMaxPool, {make.Op(kRelu, {conv})}, Attrs().Ints("kernel_shape", {2}).Ints("strides", {2})));
}

TEST(TfliteConv, Transposed) {
  struct Case {
    int64_t in, out, kernel, groups;
    std::vector<int64_t> strides, pads, extra, dilations;
  };
  const Case cases[] = {
      {3, 4, 2, 1, {2, 2}, {0, 0, 0, 0}, {0, 0}, {1, 1}}, {3, 4, 3, 1, {2, 2}, {1, 1, 1, 1}, {1, 1}, {1, 1}},
      {3, 4, 4, 1, {2, 2}, {1, 1, 1, 1}, {0, 0}, {1, 1}}, {3, 4, 3, 1, {1, 1}, {0, 1, 2, 0}, {0, 0}, {1, 1}},
      {4, 6, 3, 2, {2, 1}, {1, 1, 1, 1}, {1, 0}, {1, 1}}, {3, 4, 3, 1, {2, 2}, {1, 1, 1, 1}, {0, 1}, {2, 2}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(::testing::PrintToString(&c - cases));
    GraphMaker make;
    Value* data = make.In({1, c.in, 5, 7});
    ExpectSame(make, make.Op(kConvTranspose,
                             {data, make.Random({c.in, c.out / c.groups, c.kernel, c.kernel}), make.Random({c.out})},
                             Attrs()
                                 .Ints("strides", c.strides)
                                 .Ints("pads", c.pads)
                                 .Ints("output_padding", c.extra)
                                 .Ints("dilations", c.dilations)
                                 .Int("group", c.groups)));
  }
}

TEST(TfliteConv, FusedActivations) {
  GraphMaker make;
  Value* data = make.In({1, 3, 8, 8});
  Value* relu = make.Op(kRelu, {make.Conv(data, 6, 3)});
  Value* relu6 =
      make.Op(kClip, {make.Conv(relu, 6, 1), make.Constant(Tensor::Scalar(0)), make.Constant(Tensor::Scalar(6))});
  ExpectSame(make, relu6);
  const auto folder = TemporaryFolder::Create("/tmp", "slipway-tflite-case-");
  std::unique_ptr<Graph> legalized;
  ASSERT_TRUE(ConvertToTflite(*make.graph, folder->path(), &legalized).ok());
  EXPECT_EQ(CountKind(*legalized, kRelu) + CountKind(*legalized, kClip), 0);
}

TEST(TflitePool, WindowsPadsCeiling) {
  for (OpKind kind : {kMaxPool, kAveragePool}) {
    for (int64_t kernel : {2, 3}) {
      for (int64_t stride : {1, 2, 3}) {
        for (int64_t pad : {0, 1}) {
          for (int64_t ceil : {0, 1}) {
            for (int64_t count : {0, 1}) {
              if (kind == kMaxPool && count == 1) continue;
              SCOPED_TRACE(::testing::Message() << Name(kind) << " " << kernel << "/" << stride << " pad " << pad
                                                << " ceil " << ceil << " count " << count);
              GraphMaker make;
              Value* data = make.In({1, 2, Dim::Symbol("H"), 10});
              Attrs attrs = Attrs()
                                .Ints("kernel_shape", {kernel, kernel})
                                .Ints("strides", {stride, stride})
                                .Ints("pads", {pad, pad, pad, pad})
                                .Int("ceil_mode", ceil);
              if (count == 1) attrs = attrs.Int("count_include_pad", 1);
              ExpectSame(make, make.Op(kind, {data}, attrs), {{{"H", 7}}, {{"H", 12}}});
            }
          }
        }
      }
    }
  }
}

TEST(TflitePool, Global) {
  GraphMaker make;
  Value* data = make.In({2, 3, 5, 6});
  make.Out(make.Op(kGlobalMaxPool, {data}));
  ExpectSame(make, make.Op(kFlatten, {make.Op(kGlobalAveragePool, {data})}));
}

}  // namespace
}  // namespace slipway::testing
