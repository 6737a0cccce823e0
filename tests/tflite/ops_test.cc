#include <gmock/gmock.h>

#include "convert/ir/cast.h"
#include "tests/tflite/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;
using Sizes = std::vector<std::map<std::string, int64_t>>;

void ExpectSame(GraphMaker& make, Value* output, const Sizes& sizes = {{}}, float low = -1, float high = 1,
                double limit = 2e-5) {
  make.Out(output);
  const auto error = CompareInLitert(*make.graph, sizes, low, high);
  ASSERT_TRUE(error.ok()) << error.status();
  EXPECT_LT(*error, limit);
}

TEST(TfliteOps, Unary) {
  for (OpKind kind : {kRelu,  kLeakyRelu, kElu,      kSelu, kCelu, kSigmoid, kHardSigmoid, kHardSwish, kMish,
                      kTanh,  kSoftplus,  kSoftsign, kAbs,  kNeg,  kExp,     kFloor,       kCeil,      kRound,
                      kSign,  kErf,       kSin,      kCos,  kTan,  kSinh,    kCosh,        kAsinh,     kThresholdedRelu,
                      kShrink}) {
    SCOPED_TRACE(Name(kind));
    GraphMaker make;
    ExpectSame(make, make.Op(kind, {make.In({2, 3, 4, 5})}), {{}}, -3, 3);
  }
  for (OpKind kind : {kLog, kSqrt, kReciprocal, kAtanh}) {
    SCOPED_TRACE(Name(kind));
    GraphMaker make;
    ExpectSame(make, make.Op(kind, {make.In({2, 7})}), {{}}, 0.1f, 0.9f);
  }
}

TEST(TfliteOps, ActivationsWithNumbers) {
  GraphMaker make;
  Value* x = make.In({1, 3, 4, 5});
  make.Out(make.Op(kLeakyRelu, {x}, Attrs().Float("alpha", 0.3f)));
  make.Out(make.Op(kElu, {x}, Attrs().Float("alpha", 0.7f)));
  make.Out(make.Op(kCelu, {x}, Attrs().Float("alpha", 2.0f)));
  make.Out(make.Op(kGelu, {x}, Attrs().Text("approximate", "tanh")));
  make.Out(make.Op(kGelu, {x}));
  make.Out(make.Op(kPRelu, {x, make.Random({3, 1, 1})}));
  make.Out(make.Op(kPRelu, {x, make.Random({1})}));
  make.Out(make.Op(kClip, {x, make.Constant(Tensor::Scalar(-0.25f)), make.Constant(Tensor::Scalar(0.5f))}));
  make.Out(make.Op(kClip, {x, nullptr, make.Constant(Tensor::Scalar(0.5f))}));
  ExpectSame(make, make.Op(kClip, {x, make.Constant(Tensor::Scalar(0)), make.Constant(Tensor::Scalar(1))}), {{}}, -2,
             2);
}

TEST(TfliteOps, BroadcastArithmetic) {
  const std::vector<std::pair<std::vector<int64_t>, std::vector<int64_t>>> shapes = {
      {{2, 3, 4, 5}, {2, 3, 4, 5}}, {{2, 3, 4, 5}, {3, 1, 1}}, {{2, 3, 4, 5}, {5}}, {{4, 1}, {1, 6}}, {{3}, {2, 1, 3}}};
  for (OpKind kind : {kAdd, kSub, kMul, kDiv, kMin, kMax, kPow}) {
    for (const auto& [a, b] : shapes) {
      SCOPED_TRACE(::testing::Message() << Name(kind) << ToString(a) << ToString(b));
      GraphMaker make;
      Value* left = make.In(ToShape(a));
      ExpectSame(make, make.Op(kind, {left, make.In(ToShape(b))}), {{}}, 0.5f, 2);
    }
  }
  GraphMaker make;
  Value *a = make.In({2, 3}), *b = make.In({2, 3}), *c = make.In({3});
  make.Out(make.Op(kSum, {a, b, c}));
  make.Out(make.Op(kMean, {a, b, c}));
  make.Out(make.Op(kMax, {a, b, c}));
  ExpectSame(make, make.Op(kWhere, {make.Op(kGreater, {a, b}), a, c}));
}

TEST(TfliteOps, GemmAndMatMul) {
  for (bool trans_a : {false, true}) {
    for (bool trans_b : {false, true}) {
      GraphMaker make;
      Value* a = make.In(trans_a ? Shape{5, 2} : Shape{2, 5});
      ExpectSame(make,
                 make.Op(kGemm,
                         {a, make.Random(trans_b ? std::vector<int64_t>{3, 5} : std::vector<int64_t>{5, 3}),
                          make.Random({2, 3})},
                         Attrs().Int("transA", trans_a).Int("transB", trans_b).Float("alpha", 0.5f).Float("beta", 2)));
    }
  }
  GraphMaker make;
  Value *a = make.In({2, 4, 5}), *b = make.In({2, 5, 3}), *m = make.In({4, 5}), *v = make.In({5});
  make.Out(make.Op(kMatMul, {a, b}));
  make.Out(make.Op(kAdd, {make.Op(kMatMul, {m, make.Random({5, 7})}), make.Random({7})}));
  make.Out(make.Op(kMatMul, {a, make.Random({5, 7})}));
  make.Out(make.Op(kMatMul, {a, v}));
  ExpectSame(make, make.Op(kMatMul, {m, b}));
}

TEST(TfliteOps, Reductions) {
  for (OpKind kind : {kReduceMean, kReduceSum, kReduceMax, kReduceMin, kReduceProd, kReduceL1, kReduceL2, kReduceLogSum,
                      kReduceLogSumExp, kReduceSumSquare}) {
    for (int64_t keep : {0, 1}) {
      SCOPED_TRACE(::testing::Message() << Name(kind) << keep);
      GraphMaker make;
      Value* x = make.In({2, 3, 4, 5});
      make.Out(make.Op(kind, {x}, Attrs().Int("keepdims", keep)));
      ExpectSame(make, make.Op(kind, {x, make.Ints({1, -1})}, Attrs().Int("keepdims", keep)), {{}}, 0.2f, 1.2f);
    }
  }
  GraphMaker make;
  Value* x = make.In({2, 3, 4});
  make.Out(make.Op(kArgMax, {x}, Attrs().Int("axis", 1)));
  make.Out(make.Op(kArgMin, {x}, Attrs().Int("axis", -1).Int("keepdims", 0)));
  ExpectSame(make, make.Op(kCumSum, {x, make.Constant(Tensor::From<int64_t>({}, {1}))}, Attrs().Int("reverse", 1)));
}

TEST(TfliteOps, Movement) {
  GraphMaker make;
  Value* x = make.In({2, 6, 4, 5});
  make.Out(make.Op(kReshape, {x, make.Ints({0, 3, -1})}));
  make.Out(make.Op(kTranspose, {x}, Attrs().Ints("perm", {3, 0, 2, 1})));
  make.Out(make.Op(kSlice, {x, make.Ints({1, -3}), make.Ints({5, 1000}), make.Ints({1, 3}), make.Ints({2, 1})}));
  make.Out(make.Op(kSlice, {x, make.Ints({-1}), make.Ints({-1000}), make.Ints({2}), make.Ints({-1})}));
  make.Out(make.Op(kPad, {x, make.Ints({0, 1, 0, 2, 1, 0, 0, 1})}));
  make.Out(make.Op(kPad, {x, make.Ints({0, 0, 2, 1, 0, 0, 1, 2})}, Attrs().Text("mode", "reflect")));
  make.Out(make.Op(kPad, {x, make.Ints({0, 0, 2, 1, 0, 0, 1, 2})}, Attrs().Text("mode", "edge")));
  make.Out(make.Op(kPad, {x, make.Ints({0, 0, -1, 1, 0, 0, 0, -2}), make.Constant(Tensor::Scalar(3))}));
  make.Out(make.Op(kGather, {x, make.Ints({0, -1, 2})}, Attrs().Int("axis", 1)));
  make.Out(make.Op(kTile, {x, make.Ints({1, 2, 1, 1})}));
  make.Out(make.Op(kExpand, {make.In({6, 1, 1}), make.Ints({2, 6, 3, 1})}));
  make.Out(make.Op(kSqueeze, {make.Op(kUnsqueeze, {x, make.Ints({0, 5})}), make.Ints({0})}));
  make.Out(make.Op(kConcat, {x, x, make.Random({2, 1, 4, 5})}, Attrs().Int("axis", 1)));
  make.Out(make.Op(kDepthToSpace, {make.In({1, 8, 3, 2})}, Attrs().Int("blocksize", 2)));
  make.Out(make.Op(kDepthToSpace, {make.In({1, 8, 3, 2})}, Attrs().Int("blocksize", 2).Text("mode", "CRD")));
  make.Out(make.Op(kSpaceToDepth, {make.In({1, 2, 4, 6})}, Attrs().Int("blocksize", 2)));
  const auto parts = make.Ops(kSplit, {x, make.Ints({1, 3, 2})}, 3, Attrs().Int("axis", 1));
  make.Out(parts[2]);
  ExpectSame(make, parts[0]);
}

TEST(TfliteOps, SoftmaxOnAnyAxis) {
  for (OpKind kind : {kSoftmax, kLogSoftmax}) {
    for (int64_t axis : {0, 1, 2, -1}) {
      GraphMaker make;
      ExpectSame(make, make.Op(kind, {make.In({2, 3, 4, 5})}, Attrs().Int("axis", axis)));
    }
  }
}

TEST(TfliteOps, Normalizations) {
  GraphMaker make;
  Value* x = make.In({2, 6, 4, 5});
  make.Out(make.Op(kInstanceNormalization, {x, make.Random({6}), make.Random({6})}));
  make.Out(make.Op(kLayerNormalization, {x, make.Random({5}), make.Random({5})}));
  make.Out(make.Op(kLayerNormalization, {x, make.Random({4, 5}), make.Random({4, 5})}, Attrs().Int("axis", 2)));
  make.Out(make.Op(kLpNormalization, {x}, Attrs().Int("axis", 1)));
  make.Out(make.Op(kLRN, {x}, Attrs().Int("size", 3).Float("alpha", 0.1f)));
  make.Out(make.Op(kBatchNormalization,
                   {x, make.Random({6}), make.Random({6}), make.Random({6}), make.Random({6}, 0.5f, 1)}));
  ExpectSame(make, make.Op(kMeanVarianceNormalization, {x}));
}

// Filters stretched over all that a result stands for.
TEST(TfliteOps, SmoothResize) {
  for (const std::string mode : {"linear", "cubic"}) {
    for (const std::vector<int64_t>& sizes : {std::vector<int64_t>{1, 2, 5, 4}, {1, 2, 3, 17}, {1, 2, 1, 9}}) {
      SCOPED_TRACE(mode + ToString(sizes));
      GraphMaker make;
      ExpectSame(make, make.Op(kResize, {make.In({1, 2, 12, 9}), nullptr, nullptr, make.Ints(sizes)},
                               Attrs().Text("mode", mode).Int("antialias", 1).Float("cubic_coeff_a", -0.5f)));
    }
  }
}

TEST(TfliteOps, Resize) {
  struct Case {
    std::string mode, coordinates, nearest;
    std::vector<int64_t> sizes;
  };
  const Case cases[] = {
      {"linear", "half_pixel", "floor", {1, 2, 7, 9}},
      {"linear", "align_corners", "floor", {1, 2, 8, 10}},
      {"linear", "asymmetric", "floor", {1, 2, 8, 10}},
      {"linear", "pytorch_half_pixel", "floor", {1, 2, 2, 3}},
      {"nearest", "asymmetric", "floor", {1, 2, 8, 10}},
      {"nearest", "half_pixel", "round_prefer_floor", {1, 2, 12, 15}},
      {"nearest", "asymmetric", "floor", {1, 2, 6, 7}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.mode + " " + c.coordinates + ToString(c.sizes));
    GraphMaker make;
    ExpectSame(make, make.Op(kResize, {make.In({1, 2, 4, 5}), nullptr, nullptr, make.Ints(c.sizes)},
                             Attrs()
                                 .Text("mode", c.mode)
                                 .Text("coordinate_transformation_mode", c.coordinates)
                                 .Text("nearest_mode", c.nearest)));
  }
}

TEST(TfliteOps, IntegersAndBooleans) {
  GraphMaker make;
  Value *a = make.In({2, 3}, DataType::kInt64), *b = make.In({2, 3}, DataType::kInt32);
  make.Out(make.Op(kAdd, {a, make.Ints({5, 6, 7})}));
  make.Out(make.Op(kMul, {b, b}));
  make.Out(make.Op(kCast, {b}, Attrs().Int("to", ElementTypeCode(DataType::kFloat32))));
  Value* less = make.Op(kLess, {a, make.Ints({1, 2, 3})});
  Value* more = make.Op(kGreaterOrEqual, {a, make.Ints({3, 1, 2})});
  make.Out(make.Op(kXor, {less, more}));
  ExpectSame(make, make.Op(kAnd, {less, make.Op(kNot, {more})}), {{}}, -9, 9);
}

TEST(TfliteOps, IndicesFromTheEnd) {
  GraphMaker make;
  Value* table = make.Random({5, 3});
  make.Out(make.Op(kGather, {make.In({2, 3}), make.Constant(Tensor::From<int64_t>({}, {-1}))}, Attrs().Int("axis", 1)));
  ExpectSame(make, make.Op(kGather, {table, make.In({7}, DataType::kInt64)}), {{}}, -5, 5);
}

TEST(TfliteOps, DynamicReshape) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), 4, Dim::Symbol("H"), 6});
  Value* rows = make.Op(kReshape, {x, make.Ints({0, 4, 0, 2, 3})});
  ExpectSame(make, make.Op(kTranspose, {rows}, Attrs().Ints("perm", {0, 2, 1, 3, 4})),
             {{{"N", 1}, {"H", 5}}, {{"N", 3}, {"H", 2}}});
}

TEST(TfliteOps, OutputsThatAreNotMadeByNodes) {
  GraphMaker make;
  Value* x = make.In({2, 3});
  make.Out(x);
  Value* y = make.Op(kRelu, {x});
  make.Out(y);
  ExpectSame(make, make.Constant(Tensor::Float32s({1, 2, 3})));
}

TEST(TfliteOps, RefusalsNameNodeAndReason) {
  GraphMaker make;
  Value* x = make.Op(kBitwiseNot, {make.In({2, 3}, DataType::kInt32)});
  x->producer->name = "flip";
  make.Out(x);
  const auto folder = TemporaryFolder::Create("/tmp", "slipway-tflite-case-");
  const auto emitted = ConvertToTflite(*make.graph, folder->path());
  ASSERT_EQ(emitted.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(Message(emitted.status()),
              ::testing::AllOf(::testing::HasSubstr("BitwiseNot 'flip'"), ::testing::HasSubstr("no operator")));
}

}  // namespace
}  // namespace slipway::testing
