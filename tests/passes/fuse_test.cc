#include "tests/passes/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;

std::unique_ptr<Graph> Fuse(GraphMaker& make, float low = -1, float high = 1) {
  return ExpectSameAfter([](Graph& graph) { return Simplify(graph); }, *make.graph, {}, low, high);
}

Value* BatchNorm(GraphMaker& make, Value* x, int64_t channels) {
  return make.Op(kBatchNormalization, {x, make.Random({channels}), make.Random({channels}), make.Random({channels}),
                                       make.Random({channels}, 0.5f, 2)});
}

TEST(Fuse, BatchNormIntoConvolutions) {
  GraphMaker make;
  Value* x = make.In({1, 4, 7, 7});
  Value* y = BatchNorm(make, make.Conv(x, 6, 3, {2, 2}, {1, 1, 1, 1}), 6);
  y = BatchNorm(make, make.Op(kConv, {y, make.Random({6, 1, 3, 3})}, Attrs().Int("group", 6)), 6);
  y = BatchNorm(make,
                make.Op(kConvTranspose, {y, make.Random({6, 2, 2, 2}), make.Random({4})}, Attrs().Int("group", 2)), 4);
  make.Out(y);
  EXPECT_EQ(Fuse(make)->node_count(), 3u);
}

TEST(Fuse, ScalesAndShiftsOfChannels) {
  GraphMaker make;
  Value* x = make.In({1, 3, 5, 5});
  Value* y = make.Op(kMul, {make.Conv(x, 4, 3), make.Random({4, 1, 1})});
  y = make.Op(kSub, {make.Constant(Tensor::Scalar(0.5f)), y});
  y = make.Op(kDiv, {y, make.Random({1, 4, 1, 1}, 1, 2)});
  make.Out(y);
  EXPECT_EQ(Fuse(make)->node_count(), 1u);
}

TEST(Fuse, ScalesOfOtherAxesStay) {
  GraphMaker make;
  Value* x = make.In({1, 3, 6, 6});
  make.Out(make.Op(kMul, {make.Conv(x, 4, 3), make.Random({4})}));
  EXPECT_EQ(Fuse(make)->node_count(), 2u);
}

TEST(Fuse, AConvolutionWithTwoReadersStays) {
  GraphMaker make;
  Value* y = make.Conv(make.In({1, 3, 6, 6}), 4, 3);
  make.Out(make.Op(kMul, {y, make.Random({4, 1, 1})}));
  make.Out(y);
  EXPECT_EQ(Fuse(make)->node_count(), 2u);
}

TEST(Fuse, BatchNormAloneIsMulAndAdd) {
  GraphMaker make;
  make.Out(BatchNorm(make, make.In({2, 3, 4}), 3));
  EXPECT_EQ(CountKind(*Fuse(make), kBatchNormalization), 0);
}

TEST(Fuse, PadIntoConvAndPool) {
  GraphMaker make;
  Value* x = make.In({1, 3, 6, 6});
  Value* padded = make.Op(kPad, {x, make.Ints({0, 0, 1, 2, 0, 0, 0, 1})});
  Value* y = make.Conv(padded, 2, 3, {1, 1}, {1, 0, 0, 1});
  make.Out(make.Op(kAveragePool, {make.Op(kPad, {y, make.Ints({0, 0, 1, 1, 0, 0, 1, 1})})},
                   Attrs().Ints("kernel_shape", {3, 3})));
  // A number that is not zero is data.
  make.Out(make.Conv(make.Op(kPad, {x, make.Ints({0, 0, 1, 1, 0, 0, 1, 1}), make.Constant(Tensor::Scalar(1))}), 2, 3));
  EXPECT_EQ(CountKind(*Fuse(make), kPad), 1);
}

TEST(Fuse, MatMulAndAddToGemm) {
  GraphMaker make;
  make.Out(make.Op(kAdd, {make.Random({5}), make.Op(kMatMul, {make.In({2, 3}), make.Random({3, 5})})}));
  const auto after = Fuse(make);
  EXPECT_EQ(after->node_count(), 1u);
  EXPECT_EQ(CountKind(*after, kGemm), 1);
}

TEST(Fuse, ActivationsWrittenAsArithmetic) {
  GraphMaker make;
  const auto number = [&](float value) { return make.Constant(Tensor::Scalar(value)); };
  Value* x = make.In({2, 3});
  Value* clipped = make.Op(kClip, {make.Op(kAdd, {x, number(3)}), number(0), number(6)});
  make.Out(make.Op(kMul, {x, make.Op(kDiv, {clipped, number(6)})}));
  Value* z = make.In({2, 3});
  make.Out(make.Op(kMul, {make.Op(kSigmoid, {z}), z}));
  Value* w = make.In({2, 3});
  Value* gate = make.Op(kAdd, {make.Op(kErf, {make.Op(kDiv, {w, number(1.41421356f)})}), number(1)});
  make.Out(make.Op(kMul, {make.Op(kMul, {w, gate}), number(0.5f)}));
  Value* v = make.In({2, 3});
  Value* cube = make.Op(kMul, {make.Op(kPow, {v, number(3)}), number(0.044715f)});
  Value* tanh = make.Op(kTanh, {make.Op(kMul, {make.Op(kAdd, {v, cube}), number(0.7978845608f)})});
  make.Out(make.Op(kMul, {make.Op(kMul, {v, number(0.5f)}), make.Op(kAdd, {tanh, number(1)})}));
  const auto after = Fuse(make, -4, 4);
  EXPECT_EQ(after->node_count(), 4u);
  EXPECT_EQ(CountKind(*after, kHardSwish), 1);
  EXPECT_EQ(CountKind(*after, kSwish), 1);
  EXPECT_EQ(CountKind(*after, kGelu), 2);
}

TEST(Fuse, LayerNormWrittenAsArithmetic) {
  GraphMaker make;
  Value* x = make.In({2, 3, 8});
  Value* centred = make.Op(kSub, {x, make.Op(kReduceMean, {x, make.Ints({-1})})});
  Value* variance = make.Op(kReduceMean, {make.Op(kPow, {centred, make.Constant(Tensor::Scalar(2))}), make.Ints({-1})});
  Value* normal =
      make.Op(kDiv, {centred, make.Op(kSqrt, {make.Op(kAdd, {variance, make.Constant(Tensor::Scalar(1e-5f))})})});
  make.Out(make.Op(kAdd, {make.Op(kMul, {normal, make.Random({8})}), make.Random({8})}));
  const auto after = Fuse(make);
  EXPECT_EQ(after->node_count(), 1u);
  EXPECT_EQ(CountKind(*after, kLayerNormalization), 1);
}

// Upsampling as Darknet's exporters (Expand) and Keras' (Tile of rows) write it.
TEST(Fuse, RepeatsAreResizes) {
  for (const bool tiled : {false, true}) {
    GraphMaker make;
    Value* x = make.Op(kReshape, {make.In({1, 3, 4, 5}), make.Ints({1, 3, 4, 1, 5, 1})});
    x = make.Op(tiled ? kTile : kExpand, {x, make.Ints(tiled ? std::vector<int64_t>{1, 1, 1, 2, 1, 3}
                                                             : std::vector<int64_t>{1, 3, 4, 2, 5, 3})});
    make.Out(make.Op(kReshape, {x, make.Ints({1, 3, 8, 15})}));
    const auto fused = ExpectSameAfter(*MakeFuse(), *make.graph);
    EXPECT_EQ(CountKind(*fused, kResize), 1);
  }
  GraphMaker rows;
  Value* y = rows.Op(kUnsqueeze, {rows.In({Dim::Symbol("N"), 3, 4, 5}), rows.Ints({3})});
  y = rows.Op(kTile, {y, rows.Ints({1, 1, 1, 2, 1})});
  rows.Out(rows.Op(kReshape, {y, rows.Ints({-1, 3, 8, 5})}));
  EXPECT_EQ(CountKind(*ExpectSameAfter(*MakeFuse(), *rows.graph, {{"N", 2}}), kResize), 1);
  // The repeats before the rows: whole images, not pixels.
  GraphMaker images;
  Value* z = images.Op(kReshape, {images.In({1, 3, 4, 5}), images.Ints({1, 3, 1, 4, 5})});
  z = images.Op(kExpand, {z, images.Ints({1, 3, 2, 4, 5})});
  images.Out(images.Op(kReshape, {z, images.Ints({1, 3, 8, 5})}));
  EXPECT_EQ(CountKind(*ExpectSameAfter(*MakeFuse(), *images.graph), kResize), 0);
}

TEST(Fuse, NearestByWholeFactorsHasOneForm) {
  for (const auto& [coordinates, rounding] :
       std::vector<std::pair<std::string, std::string>>{{"tf_half_pixel_for_nn", "floor"},
                                                        {"half_pixel", "round_prefer_floor"},
                                                        {"half_pixel", "round_prefer_ceil"}}) {
    for (const float factor : {2.0f, 3.0f, 1.5f}) {
      SCOPED_TRACE(coordinates + rounding + std::to_string(factor));
      GraphMaker make;
      Value* scales = make.Constant(Tensor::Float32s({1, 1, factor, 4}));
      make.Out(make.Op(kResize, {make.In({1, 2, 6, 5}), nullptr, scales},
                       Attrs().Text("coordinate_transformation_mode", coordinates).Text("nearest_mode", rounding)));
      const auto fused = ExpectSameAfter(*MakeFuse(), *make.graph);
      const std::string form =
          fused->nodes().front()->attributes.String("coordinate_transformation_mode", "half_pixel");
      EXPECT_EQ(form == "asymmetric", factor != 1.5f);
    }
  }
}

// y[y < 0] = 0.5, as PyTorch's newer exporter writes it.
TEST(Fuse, MaskedFill) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), 3, 4});
  const auto filled = [&](Value* mask) {
    Value* places = make.Op(kTranspose, {make.Op(kNonZero, {mask})}, Attrs().Ints("perm", {1, 0}));
    Value* count =
        make.Op(kReduceSum,
                {make.Op(kCast, {make.Op(kReshape, {make.Op(kCast, {mask}, Attrs().Int("to", 9)), make.Ints({-1})})},
                         Attrs().Int("to", 7))},
                Attrs().Int("keepdims", 1));
    Value* numbers = make.Op(kExpand, {make.Constant(Tensor::Scalar(0.5f)), count});
    make.Out(make.Op(kScatterND, {x, places, make.Op(kReshape, {numbers, make.Ints({-1})})}));
  };
  filled(make.Op(kLess, {x, make.Constant(Tensor::Scalar(0))}));
  filled(make.Op(kRelu, {x}));  // whatever is not zero
  const auto after = ExpectSameAfter(*MakeFuse(), *make.graph, {{"N", 2}});
  EXPECT_EQ(CountKind(*after, kScatterND), 0);
  EXPECT_EQ(CountKind(*after, kWhere), 2);
}

TEST(Fuse, FillsOfSeveralNumbersStay) {
  GraphMaker make;
  Value* x = make.In({6});
  Value* mask = make.Op(kLess, {x, make.Constant(Tensor::Scalar(2))});  // everywhere
  Value* places = make.Op(kTranspose, {make.Op(kNonZero, {mask})}, Attrs().Ints("perm", {1, 0}));
  make.Out(make.Op(kScatterND, {x, places, make.Random({6})}));
  EXPECT_EQ(CountKind(*ExpectSameAfter(*MakeFuse(), *make.graph), kScatterND), 1);
}

}  // namespace
}  // namespace slipway::testing
