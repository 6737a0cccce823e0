#include "tests/passes/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;

std::unique_ptr<Graph> ChannelsLast(GraphMaker& make, const std::map<std::string, int64_t>& sizes = {}) {
  return ExpectSameAfter(*MakeChannelsLast(), *make.graph, sizes);
}

Value* Pool(GraphMaker& make, OpKind kind, Value* x) {
  return make.Op(kind, {x}, Attrs().Ints("kernel_shape", {2, 2}).Ints("strides", {2, 2}));
}

// Residual adds, concats, a squeeze-and-excitation block by Gemm, splits, slices, pads and per-channel constants.
TEST(Layout, TransposesOfAConvNetAtTheInterfaceOnly) {
  GraphMaker make;
  Value* x = make.In({2, 3, 16, 12});
  Value* a = make.Op(kRelu, {make.Conv(x, 8, 3, {1, 1}, {1, 1, 1, 1})});
  Value* b = make.Op(kAdd, {a, make.Conv(a, 8, 3, {1, 1}, {1, 1, 1, 1})});
  Value* squeezed = make.Op(kFlatten, {make.Op(kGlobalAveragePool, {b})});
  Value* gate = make.Op(kSigmoid, {make.Op(kGemm, {squeezed, make.Random({8, 8})})});
  b = make.Op(kMul, {b, make.Op(kReshape, {gate, make.Ints({0, 8, 1, 1})})});
  b = make.Op(kMul, {b, make.Op(kConv, {make.Op(kReduceMean, {b, make.Ints({2, 3})}), make.Random({8, 8, 1, 1})})});
  b = make.Op(kPRelu, {b, make.Random({8, 1, 1})});
  const auto halves = make.Ops(kSplit, {b, make.Ints({3, 5})}, 2, Attrs().Int("axis", 1));
  Value* c = make.Op(kConcat, {make.Op(kTanh, {halves[1]}), halves[0], b, make.Random({2, 1, 16, 12})},
                     Attrs().Int("axis", 1));
  c = make.Op(kPad, {c, make.Ints({0, 0, 1, 0, 0, 0, 1, 2})});
  c = make.Op(kSlice, {c, make.Ints({1, 2}), make.Ints({15, 13}), make.Ints({1, 2})});
  c = make.Op(kAdd, {c, make.Random({14, 1, 1})});
  c = Pool(make, kMaxPool, c);
  c = make.Op(kSoftmax, {c}, Attrs().Int("axis", 1));
  Value* d = make.Conv(c, 4, 1);
  make.Out(d);
  make.Out(
      make.Op(kGemm, {make.Op(kFlatten, {d}), make.Random({4 * (*d->shape)[2].value() * (*d->shape)[3].value(), 5})}));
  const auto after = ChannelsLast(make);
  EXPECT_EQ(CountKind(*after, kTranspose), 2);  // of the input and of the first output
  for (const auto& node : after->nodes()) {
    if (node->kind == kTranspose) {
      EXPECT_TRUE(node->input(0)->producer == nullptr || after->IsOutput(node->output())) << Describe(*node);
    }
  }
}

TEST(Layout, DynamicSizes) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), 3, Dim::Symbol("H"), Dim::Symbol("W")});
  Value* a = make.Conv(x, 4, 3, {2, 2}, {1, 1, 1, 1});
  Value* b = make.Op(kResize, {a, nullptr, make.Constant(Tensor::Float32s({1, 1, 2, 2}))},
                     Attrs()
                         .Text("mode", "nearest")
                         .Text("coordinate_transformation_mode", "asymmetric")
                         .Text("nearest_mode", "floor"));
  make.Out(make.Op(kReduceMax, {make.Conv(b, 2, 1), make.Ints({1})}, Attrs().Int("keepdims", 0)));
  EXPECT_EQ(CountKind(*ChannelsLast(make, {{"N", 2}, {"H", 9}, {"W", 12}}), kTranspose), 1);
}

// A shuffle moves channels, which is one Transpose whatever the layout.
TEST(Layout, ChannelShuffle) {
  GraphMaker make;
  Value* x = make.Conv(make.In({1, 3, 8, 8}), 6, 1);
  x = make.Op(kReshape, {x, make.Ints({1, 2, 3, 8, 8})});
  x = make.Op(kTranspose, {x}, Attrs().Ints("perm", {0, 2, 1, 3, 4}));
  x = make.Op(kReshape, {x, make.Ints({1, 6, 8, 8})});
  make.Out(make.Op(kReduceMean, {make.Conv(x, 4, 1), make.Ints({1, 2, 3})}));
  EXPECT_EQ(CountKind(*ChannelsLast(make), kTranspose), 2);
}

// Heads of detectors: the exporter's Transpose to channels last meets the pass's own.
TEST(Layout, DetectionHead) {
  GraphMaker make;
  Value* x = make.Conv(make.In({1, 3, 8, 6}), 10, 1);
  x = make.Op(kTranspose, {x}, Attrs().Ints("perm", {0, 2, 3, 1}));
  make.Out(make.Op(kReshape, {x, make.Ints({1, -1, 5})}));
  EXPECT_EQ(CountKind(*ChannelsLast(make), kTranspose), 1);
}

TEST(Layout, SpaceAndDepthAndReductionsThatDropAxes) {
  GraphMaker make;
  Value* x = make.Conv(make.In({1, 3, 8, 6}), 8, 1);
  x = make.Op(kDepthToSpace, {x}, Attrs().Int("blocksize", 2));
  make.Out(make.Op(kArgMax, {x}, Attrs().Int("axis", 1).Int("keepdims", 0)));
  make.Out(make.Op(kReduceMean, {x, make.Ints({2})}, Attrs().Int("keepdims", 0)));
  make.Out(make.Op(kGather, {x, make.Constant(Tensor::From<int64_t>({}, {1}))}, Attrs().Int("axis", 1)));
  ChannelsLast(make);
}

TEST(Layout, ThreeDimensionalData) {
  GraphMaker make;
  Value* x = make.In({1, 2, 5, 6, 7});
  make.Out(make.Op(kRelu, {make.Op(kConv, {x, make.Random({3, 2, 3, 3, 3})})}));
  ChannelsLast(make);
}

TEST(Layout, WhatCannotMoveStays) {
  GraphMaker make;
  Value* x = make.Conv(make.In({1, 4, 4, 6}), 4, 1);
  make.Out(make.Op(kAdd, {x, make.In({4, 6})}));
  make.Out(make.Op(kMatMul, {x, make.Random({6, 2})}));
  make.Out(make.Op(kReshape, {x, make.Ints({2, 8, 6})}));
  ChannelsLast(make);
}

}  // namespace
}  // namespace slipway::testing
