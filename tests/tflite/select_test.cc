// The greatest, the places of ones, fills: with both kernel sets against onnxruntime.
#include <gmock/gmock.h>

#include "convert/ir/cast.h"
#include "tests/tflite/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;
using Sizes = std::vector<std::map<std::string, int64_t>>;

void ExpectSame(GraphMaker& make, const Sizes& sizes = {{}}, float low = -1, float high = 1) {
  const auto error = CompareInLitert(*make.graph, sizes, low, high);
  ASSERT_TRUE(error.ok()) << error.status();
  EXPECT_LT(*error, 1e-5);
}

TEST(TfliteSelect, TopKOfAnyAxisAndEnd) {
  for (const int64_t axis : {0, 1, -1}) {
    for (const int64_t largest : {0, 1}) {
      SCOPED_TRACE(::testing::Message() << axis << largest);
      GraphMaker make;
      const auto top =
          make.Ops(kTopK, {make.In({5, 4, 6}), make.Ints({3})}, 2, Attrs().Int("axis", axis).Int("largest", largest));
      for (Value* value : top) make.Out(value);
      ExpectSame(make);
    }
  }
}

TEST(TfliteSelect, OneResultOfTopK) {
  for (const size_t read : {0, 1}) {
    for (const int64_t largest : {0, 1}) {
      GraphMaker make;
      const auto top = make.Ops(kTopK, {make.In({Dim::Symbol("N"), 6, 2}), make.Ints({2})}, 2,
                                Attrs().Int("axis", 1).Int("largest", largest));
      make.Out(top[read]);
      make.graph->DropOutput(top[1 - read]);
      ExpectSame(make, {{{"N", 1}}, {{"N", 3}}});
    }
  }
}

// The places of the best, and what stands there, with the batch open.
TEST(TfliteSelect, ElementsOfAnOpenBatch) {
  for (const int64_t axis : {1, 2}) {
    GraphMaker make;
    Value* x = make.In({Dim::Symbol("N"), 6, 4});
    Value* places = make.Ops(kTopK, {x, make.Ints({3})}, 2, Attrs().Int("axis", axis))[1];
    make.Out(make.Op(kGatherElements, {make.In({Dim::Symbol("N"), 6, 4}), places}, Attrs().Int("axis", axis)));
    make.Out(make.Op(kScatterElements,
                     {x, places, make.Op(kGatherElements, {make.Op(kNeg, {x}), places}, Attrs().Int("axis", axis))},
                     Attrs().Int("axis", axis)));
    ExpectSame(make, {{{"N", 1}}, {{"N", 3}}});
  }
}

// Some of a batch that is open, replaced and added to.
TEST(TfliteSelect, ScatteredRows) {
  for (const char* reduction : {"none", "add"}) {
    GraphMaker make;
    Value* x = make.In({5, 3, Dim::Symbol("N")});
    Value* rows = make.Ops(kTopK, {make.In({5}), make.Ints({2})}, 2)[1];
    make.Out(make.Op(kScatterND, {x, make.Op(kUnsqueeze, {rows, make.Ints({1})}), make.In({2, 3, Dim::Symbol("N")})},
                     Attrs().Text("reduction", reduction)));
    make.Out(make.Op(kScatterND,
                     {make.In({4, 3}), make.Constant(Tensor::From<int64_t>({2, 2}, {0, 1, -1, -2})), make.In({2})},
                     Attrs().Text("reduction", reduction)));
    // Onto nothing: what a pool took is put back.
    Value* nothing = make.Constant(Tensor::Allocate(DataType::kFloat32, {5, 2}).first);
    make.Out(make.Op(kScatterND, {nothing, make.Op(kUnsqueeze, {rows, make.Ints({1})}), make.In({2, 2})},
                     Attrs().Text("reduction", reduction)));
    ExpectSame(make, {{{"N", 2}}, {{"N", 4}}});
  }
}

TEST(TfliteSelect, AxesAddedToOpenSizes) {
  GraphMaker make;
  make.Out(make.Op(kUnsqueeze, {make.Op(kNeg, {make.In({Dim::Symbol("N"), Dim::Symbol("T")})}), make.Ints({1, -2})}));
  ExpectSame(make, {{{"N", 1}, {"T", 5}}, {{"N", 2}, {"T", 3}}});
}

// A batch whose size has two names: data and lengths are inputs of their own.
TEST(TfliteSelect, ElementsOfTwoInputs) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), 6});
  Value* places = make.In({Dim::Symbol("M"), 2}, DataType::kInt64);
  make.Out(make.Op(kGatherElements, {x, places}, Attrs().Int("axis", 1)));
  make.Out(make.Op(kScatterElements, {x, places, make.In({Dim::Symbol("M"), 2})},
                   Attrs().Int("axis", 1).Text("reduction", "add")));
  ExpectSame(make, {{{"N", 1}, {"M", 1}}, {{"N", 3}, {"M", 3}}}, -3, 3);
}

TEST(TfliteSelect, WhatIndicesAreComputedWith) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), 5}, DataType::kInt64);
  const auto number = [&](int64_t value) { return make.Constant(Tensor::From<int64_t>({}, {value})); };
  make.Out(make.Op(kDiv, {x, number(3)}));
  make.Out(make.Op(kNeg, {make.Op(kAbs, {x})}));
  make.Out(make.Op(kSign, {x}));
  ExpectSame(make, {{{"N", 1}}, {{"N", 3}}}, -9, 9);
}

TEST(TfliteSelect, TheLastOfAnOpenLength) {
  GraphMaker make;
  Value* x = make.In({2, Dim::Symbol("T"), 3});
  make.Out(make.Op(kGather, {x, make.Constant(Tensor::From<int64_t>({}, {-1}))}, Attrs().Int("axis", 1)));
  make.Out(make.Op(kGather, {x, make.Ints({-2})}, Attrs().Int("axis", 1)));
  ExpectSame(make, {{{"T", 4}}, {{"T", 7}}});
}

TEST(TfliteSelect, RepeatsOfOpenSizes) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), 3, Dim::Symbol("T")});
  Value* length = make.Op(kSlice, {make.Op(kShape, {x}), make.Ints({2}), make.Ints({3})});
  Value* mean = make.Op(kReduceMean, {x, make.Ints({2})}, Attrs().Int("keepdims", 1));
  make.Out(make.Op(kTile, {mean, make.Op(kConcat, {make.Ints({1, 1}), length}, Attrs().Int("axis", 0))}));
  Value* indices = make.In({Dim::Symbol("N"), 1, 1}, DataType::kInt64);
  make.Out(make.Op(kExpand, {indices, make.Op(kShape, {x})}));
  ExpectSame(make, {{{"N", 1}, {"T", 5}}, {{"N", 2}, {"T", 7}}}, -3, 3);
}

TEST(TfliteSelect, OneHotOfAnyAxis) {
  for (const int64_t axis : {0, 1, -1}) {
    SCOPED_TRACE(axis);
    GraphMaker make;
    Value* indices = make.In({2, 5}, DataType::kInt64);
    make.Out(make.Op(kOneHot, {indices, make.Ints({7}), make.Constant(Tensor::Float32s({-0.5f, 2}))},
                     Attrs().Int("axis", axis)));
    ExpectSame(make, {{}}, -7, 6);  // counted from the end too
  }
}

TEST(TfliteSelect, FillsOfRuntimeSizes) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), 3, 4});
  Value* filled = make.Op(kConstantOfShape, {make.Op(kShape, {x})}, Attrs().Set("value", Tensor::Float32s({2.5f})));
  make.Out(make.Op(kCumSum, {filled, make.Constant(Tensor::From<int64_t>({}, {1}))}));
  ExpectSame(make, {{{"N", 1}}, {{"N", 3}}});
}

TEST(TfliteSelect, TrianglesAndProductsByLetters) {
  GraphMaker make;
  Value* x = make.In({Dim::Symbol("N"), 4, 5});
  make.Out(make.Op(kTrilu, {x}, Attrs().Int("upper", 0)));
  make.Out(make.Op(kEinsum, {x, make.Random({5, 3})}, Attrs().Text("equation", "bij,jk->bki")));
  ExpectSame(make, {{{"N", 1}}, {{"N", 3}}});
}

TEST(TfliteSelect, SoftmaxOfMoreThanFourAxes) {
  for (const OpKind kind : {kSoftmax, kLogSoftmax}) {
    for (const int64_t axis : {1, -1}) {
      GraphMaker make;
      make.Out(make.Op(kind, {make.In({Dim::Symbol("N"), 2, 3, 4, 5})}, Attrs().Int("axis", axis)));
      ExpectSame(make, {{{"N", 1}}, {{"N", 2}}});
    }
  }
}

TEST(TfliteSelect, AtanOfRuntimeSizes) {
  GraphMaker make;
  make.Out(make.Op(kAtan, {make.In({Dim::Symbol("N"), Dim::Symbol("W")})}));
  ExpectSame(make, {{{"N", 1}, {"W", 5}}, {{"N", 2}, {"W", 3}}}, -4, 4);
}

TEST(TfliteSelect, RecurrentStepByStep) {
  GraphMaker make;
  Value* x = make.In({6, Dim::Symbol("N"), 4});
  const auto results = make.Ops(kLSTM, {x, make.Random({2, 12, 4}), make.Random({2, 12, 3}), make.Random({2, 24})}, 3,
                                Attrs().Int("hidden_size", 3).Text("direction", "bidirectional"));
  for (Value* result : results) make.Out(result);
  ExpectSame(make, {{{"N", 1}}, {{"N", 2}}});
}

}  // namespace
}  // namespace slipway::testing
