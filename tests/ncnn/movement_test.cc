// Movement of data, resizing, and graphs as wholes: what ncnn computes against what onnxruntime computes.
#include <algorithm>
#include <cmath>

#include "convert/ir/cast.h"
#include "tests/ncnn/case.h"

namespace slipway::testing {
namespace {

TEST(NcnnReshape, FormsAndOrders) {
  Case t;
  Value* x = t.x({1, 4, 6, 5});
  t.op(OpKind::kFlatten, {x});
  t.op(OpKind::kReshape, {x, t.ints({1, 8, 15})});
  t.op(OpKind::kReshape, {x, t.ints({4, 30})});
  t.op(OpKind::kReshape, {x, t.ints({1, 2, 2, 6, 5})});
  t.op(OpKind::kUnsqueeze, {x, t.ints({4})});
  t.op(OpKind::kReshape, {x, t.ints({-1})});
  t.Expect();
}

TEST(NcnnReshape, EveryTransposition) {
  Ints order = {0, 1, 2, 3};
  do {
    SCOPED_TRACE(ToString(order));
    Case t;
    t.op(OpKind::kTranspose, {t.x({1, 3, 4, 5})}, {{"perm", order}});
    t.op(OpKind::kTranspose, {t.x({2, 3, 4, 5})}, {{"perm", order}});
    t.Expect(-1, 1, 0);
  } while (std::next_permutation(order.begin(), order.end()));
  Case t;
  t.op(OpKind::kTranspose, {t.x({1, 2, 3, 4, 5})}, {{"perm", Ints{0, 2, 1, 3, 4}}});
  t.op(OpKind::kTranspose, {t.x({3, 4})});
  t.Expect(-1, 1, 0);
}

TEST(NcnnReshape, CaffeFlattening) {
  Case t;
  Value* x = t.op(OpKind::kTranspose, {t.x({1, 6, 3, 4})}, {{"perm", Ints{0, 3, 2, 1}}});
  t.op(OpKind::kGemm, {t.op(OpKind::kFlatten, {x}), t.c({5, 72}), t.c({5})}, {{"transB", int64_t{1}}});
  t.Expect();
}

TEST(NcnnReshape, ShuffledChannelsOfUnknownSizes) {
  Case t;
  Value* x = t.x({1, 6, Dim::Symbol("H"), Dim::Symbol("W")});
  Value* y = t.op(OpKind::kReshape, {x, t.ints({1, 6, -1})});
  t.op(OpKind::kTranspose, {y}, {{"perm", Ints{0, 2, 1}}});
  t.Expect(-1, 1, 0, {{"H", 5}, {"W", 7}});
}

TEST(NcnnReshape, BlocksAndTiles) {
  Case t;
  Value* x = t.x({1, 8, 4, 6});
  t.op(OpKind::kDepthToSpace, {x}, {{"blocksize", int64_t{2}}, {"mode", std::string("DCR")}});
  t.op(OpKind::kDepthToSpace, {x}, {{"blocksize", int64_t{2}}, {"mode", std::string("CRD")}});
  t.op(OpKind::kSpaceToDepth, {x}, {{"blocksize", int64_t{2}}});
  t.op(OpKind::kTile, {x, t.ints({1, 2, 1, 3})});
  t.op(OpKind::kTile, {t.x({3, 4}), t.ints({2, 2})});
  t.op(OpKind::kExpand, {t.x({1, 3, 1, 5}), t.ints({1, 3, 4, 5})});
  t.op(OpKind::kExpand, {t.x({5}), t.ints({1, 3, 4, 5})});
  t.Expect(-1, 1, 0);
}

TEST(NcnnSlice, Cuts) {
  Case t;
  Value* x = t.x({1, 8, 9, 10});
  t.op(OpKind::kSlice, {x, t.ints({2}), t.ints({6}), t.ints({1})});
  t.op(OpKind::kSlice, {x, t.ints({1, -4}), t.ints({-1, INT64_MAX}), t.ints({2, 3})});
  t.op(OpKind::kSlice, {x, t.ints({1, 0}), t.ints({INT64_MAX, INT64_MAX}), t.ints({2, 3}), t.ints({2, 2})});
  t.op(OpKind::kSlice, {x, t.ints({-1}), t.ints({INT64_MIN}), t.ints({3}), t.ints({-1})});
  t.op(OpKind::kSlice, {t.x({6, 5}), t.ints({1}), t.ints({4})});
  t.op(OpKind::kSlice, {x, t.ints({0, 1}), t.ints({INT64_MAX, 8}), t.ints({1, 2}), t.ints({2, 3})});
  t.op(OpKind::kSlice, {x, t.ints({1}), t.ints({INT64_MAX}), t.ints({-3}), t.ints({3})});
  t.op(OpKind::kSlice, {t.x({1, 7, 5}), t.ints({0, 1}), t.ints({7, 5}), t.ints({1, 2}), t.ints({2, 2})});
  t.op(OpKind::kSlice, {t.x({1, 2, 3, 4, 5}), t.ints({1, 1}), t.ints({3, 4}), t.ints({2, 4})});
  t.op(OpKind::kGather, {x, t.ints({3})}, {{"axis", int64_t{1}}});
  t.op(OpKind::kGather, {x, t.graph->AddConstant("s", Tensor::From<int64_t>({}, {-1}))}, {{"axis", int64_t{2}}});
  t.Expect(-1, 1, 0);
}

TEST(NcnnSlice, ListsAndTablesOfIndices) {
  Case t;
  Value* x = t.x({1, 8, 9, 10});
  t.op(OpKind::kGather, {x, t.ints({5, 0, 1, -1})}, {{"axis", int64_t{1}}});
  t.op(OpKind::kGather, {x, t.graph->AddConstant("table", Tensor::From<int64_t>({2, 2}, {0, 1, 7, 3}))},
       {{"axis", int64_t{3}}});
  t.Expect(-1, 1, 0);
}

TEST(NcnnSlice, LongLists) {
  Case t;
  Ints list;
  for (int64_t i = 0; i < 300; ++i) list.push_back(i * 7 % 20);
  t.op(OpKind::kGather, {t.x({1, 3, 20, 4}), t.ints(list)}, {{"axis", int64_t{2}}});
  t.Expect(-1, 1, 0);
}

TEST(NcnnSlice, TrianglesAndProductsByLetters) {
  Case t;
  Value* x = t.x({1, 4, 5});
  t.op(OpKind::kTrilu, {x}, {{"upper", int64_t{0}}});
  t.op(OpKind::kEinsum, {x, t.c({5, 3})}, {{"equation", std::string("bij,jk->bki")}});
  t.Expect();
}

TEST(NcnnSlice, PartsAndJoins) {
  Case t;
  Value* x = t.x({1, 9, 4, 5});
  t.op(OpKind::kSplit, {x, t.ints({2, 3, 4})}, {{"axis", int64_t{1}}}, 3);
  Node* parts = t.last;
  t.op(OpKind::kConcat, {parts->output(2), parts->output(0), x}, {{"axis", int64_t{1}}});
  t.op(OpKind::kConcat, {x, t.c({1, 9, 2, 5})}, {{"axis", int64_t{-2}}});
  t.op(OpKind::kConcat, {t.x({1, 3}), t.x({1, 3})}, {{"axis", int64_t{0}}});
  t.op(OpKind::kConcat, {t.x({4}), t.x({3})}, {{"axis", int64_t{0}}});
  t.op(OpKind::kConcat, {t.x({2, 4}), t.x({3, 4})}, {{"axis", int64_t{0}}});
  t.Expect(-1, 1, 0);
}

// Queries, keys and values of attention, as exporters part them: five axes, one of them of size 1 but not in front.
TEST(NcnnSlice, PartsOfFiveAxes) {
  Case t;
  Value* x = t.op(OpKind::kReshape, {t.x({1, 9, 24}), t.ints({1, 9, 3, 2, 4})});
  Value* y = t.op(OpKind::kTranspose, {x}, {{"perm", Ints{2, 0, 3, 1, 4}}});
  Value* q =
      t.op(OpKind::kGather, {y, t.graph->AddConstant("i0", Tensor::From<int64_t>({}, {0}))}, {{"axis", int64_t{0}}});
  Value* k =
      t.op(OpKind::kGather, {y, t.graph->AddConstant("i1", Tensor::From<int64_t>({}, {1}))}, {{"axis", int64_t{0}}});
  t.op(OpKind::kMatMul, {q, t.op(OpKind::kTranspose, {k}, {{"perm", Ints{0, 1, 3, 2}}})});
  t.op(OpKind::kSplit, {y}, {{"axis", int64_t{0}}, {"num_outputs", int64_t{3}}}, 3);
  for (Value* part : std::vector<Value*>(t.last->outputs)) t.op(OpKind::kSqueeze, {part, t.ints({0})});
  t.Expect();
}

// Attention in windows: several samples, so that five axes are longer than one.
TEST(NcnnSlice, PartsOfFiveLongAxes) {
  Case t;
  Value* x = t.op(OpKind::kReshape, {t.x({6, 9, 24}), t.ints({6, 9, 3, 2, 4})});
  Value* y = t.op(OpKind::kTranspose, {x}, {{"perm", Ints{2, 0, 3, 1, 4}}});
  std::vector<Value*> parts;
  for (const int64_t i : {0, 1, 2})
    parts.push_back(
        t.op(OpKind::kGather, {y, t.graph->AddConstant("i", Tensor::From<int64_t>({}, {i}))}, {{"axis", int64_t{0}}}));
  Value* keys = t.op(OpKind::kTranspose, {parts[1]}, {{"perm", Ints{0, 1, 3, 2}}});
  Value* weights = t.op(OpKind::kSoftmax, {t.op(OpKind::kMatMul, {parts[0], keys})}, {{"axis", int64_t{-1}}});
  t.op(OpKind::kMatMul, {weights, parts[2]});
  t.Expect();
}

TEST(NcnnReshape, BlocksOfFiveLongAxes) {
  Case t;
  Value* x = t.op(OpKind::kReshape, {t.x({1, 3, 8, 12}), t.ints({1, 3, 4, 2, 6, 2})});
  Value* y = t.op(OpKind::kTranspose, {x}, {{"perm", Ints{0, 1, 3, 5, 2, 4}}});
  t.op(OpKind::kReshape, {y, t.ints({1, 12, 4, 6})});
  t.Expect(-1, 1, 0);
}

TEST(NcnnSlice, Pads) {
  Case t;
  Value* x = t.x({1, 3, 6, 7});
  t.op(OpKind::kPad, {x, t.ints({0, 0, 1, 2, 0, 0, 3, 0}), t.number(0.5f)});
  t.op(OpKind::kPad, {x, t.ints({0, 0, 1, 2, 0, 0, 3, 1})}, {{"mode", std::string("reflect")}});
  t.op(OpKind::kPad, {x, t.ints({0, 0, 1, 2, 0, 0, 3, 1})}, {{"mode", std::string("edge")}});
  t.op(OpKind::kPad, {x, t.ints({0, 1, 0, 0, 0, 2, 0, 0}), t.number(-1)});
  t.op(OpKind::kPad, {t.x({5}), t.ints({2, 1})});
  t.op(OpKind::kPad, {t.x({1, 4, 5}), t.ints({0, 1, 2, 0, 0, 1})});
  t.op(OpKind::kPad, {x, t.ints({0, 0, -1, 2, 0, 0, 1, -2})});
  t.Expect(-1, 1, 0);
}

TEST(NcnnResize, ModesAndCoordinates) {
  for (const auto& [mode, coordinates] :
       std::vector<std::pair<std::string, std::string>>{{"nearest", "asymmetric"},
                                                        {"linear", "half_pixel"},
                                                        {"linear", "align_corners"},
                                                        {"linear", "pytorch_half_pixel"},
                                                        {"cubic", "half_pixel"},
                                                        {"cubic", "align_corners"}}) {
    SCOPED_TRACE(mode + " " + coordinates);
    Case t;
    Value* x = t.x({1, 3, 5, 6});
    const std::vector<std::pair<std::string, AttributeValue>> attributes = {
        {"mode", mode}, {"coordinate_transformation_mode", coordinates}, {"nearest_mode", std::string("floor")}};
    t.op(OpKind::kResize, {x, nullptr, t.graph->AddConstant("scales", Tensor::Float32s({1, 1, 2, 3}))}, attributes);
    t.op(OpKind::kResize, {x, nullptr, nullptr, t.ints({1, 3, 9, 4})}, attributes);
    t.Expect();
  }
  Case t;
  t.op(OpKind::kResize, {t.x({1, 3, 4, 4}), nullptr, t.graph->AddConstant("scales", Tensor::Float32s({1, 1, 3, 2}))},
       {{"mode", std::string("nearest")}});
  t.op(OpKind::kResize, {t.x({1, 3, 1, 1}), nullptr, nullptr, t.ints({1, 3, 4, 5})}, {{"mode", std::string("linear")}});
  t.Expect();
}

TEST(NcnnResize, UnknownSizes) {
  Case t;
  t.op(OpKind::kResize,
       {t.x({1, 3, Dim::Symbol("H"), Dim::Symbol("W")}), nullptr,
        t.graph->AddConstant("scales", Tensor::Float32s({1, 1, 2, 2}))},
       {{"mode", std::string("linear")}});
  t.Expect(-1, 1, 1e-5, {{"H", 5}, {"W", 8}});
}

TEST(NcnnSelect, TopKOfAnyAxisAndEnd) {
  for (const int64_t axis : {1, 2, -1}) {
    for (const int64_t largest : {0, 1}) {
      SCOPED_TRACE(::testing::Message() << axis << largest);
      Case t;
      t.op(OpKind::kTopK, {t.x({1, 4, 5, 6}), t.ints({3})}, {{"axis", axis}, {"largest", largest}}, 2);
      t.Expect(-1, 1, 0);
    }
  }
  // Equal elements: the first comes first.
  Case t;
  t.op(OpKind::kTopK, {t.op(OpKind::kRound, {t.x({1, 12})}), t.ints({12})}, {}, 2);
  t.Expect(-1, 1, 0);
}

TEST(NcnnSelect, OneHotAndWholeNumbersMoved) {
  for (const int64_t axis : {1, 3, -1}) {
    SCOPED_TRACE(axis);
    Case t;
    Value* index = t.op(OpKind::kArgMax, {t.x({1, 5, 3, 4})}, {{"axis", int64_t{1}}, {"keepdims", int64_t{0}}});
    Value* hot = t.op(OpKind::kOneHot, {index, t.ints({5}), t.ints({0, 1})}, {{"axis", axis}});
    Value* moved = t.op(OpKind::kTranspose, {hot}, {{"perm", Ints{0, 3, 1, 2}}});
    t.op(OpKind::kCast, {moved}, {{"to", ElementTypeCode(DataType::kFloat32)}});
    t.Expect(-1, 1, 0);
  }
}

TEST(NcnnSelect, WholeNumbersCompared) {
  Case t;
  Value* places = t.op(OpKind::kArgMax, {t.x({1, 5, 3, 4})}, {{"axis", int64_t{1}}});
  for (const OpKind kind : {OpKind::kEqual, OpKind::kGreater, OpKind::kLessOrEqual}) {
    Value* hit = t.op(kind, {places, t.graph->AddConstant("n", Tensor::From<int64_t>({1, 1, 1, 4}, {0, 1, 2, 4}))});
    t.op(OpKind::kCast, {hit}, {{"to", ElementTypeCode(DataType::kFloat32)}});
  }
  t.Expect(-1, 1, 0);
}

// What no layer says: several samples, functions of its own, a reset before the product.
TEST(NcnnSelect, RecurrentStepByStep) {
  Case t;
  Value* x = t.x({6, 2, 4});
  t.op(OpKind::kLSTM, {x, t.c({2, 12, 4}), t.c({2, 12, 3}), t.c({2, 24})},
       {{"hidden_size", int64_t{3}}, {"direction", std::string("bidirectional")}}, 3);
  t.op(OpKind::kGRU, {t.x({5, 1, 4}), t.c({1, 9, 4}), t.c({1, 9, 3}), t.c({1, 18})}, {{"hidden_size", int64_t{3}}}, 2);
  t.op(OpKind::kRNN, {t.x({5, 1, 4}), t.c({1, 3, 4}), t.c({1, 3, 3})},
       {{"hidden_size", int64_t{3}}, {"activations", std::vector<std::string>{"Relu"}}}, 2);
  t.Expect();
}

// A layer each, over any number of steps, with states or without.
TEST(NcnnSelect, RecurrentLayers) {
  for (const Dim& steps : {Dim(6), Dim::Symbol("T")}) {
    for (const std::string way : {"forward", "reverse", "bidirectional"}) {
      SCOPED_TRACE(way);
      const int64_t d = way == "bidirectional" ? 2 : 1;
      Case t;
      Value* x = t.x({steps, 1, 4});
      t.op(OpKind::kLSTM, {x, t.c({d, 12, 4}), t.c({d, 12, 3}), t.c({d, 24})},
           {{"hidden_size", int64_t{3}}, {"direction", way}}, 3);
      t.op(OpKind::kLSTM, {x, t.c({d, 12, 4}), t.c({d, 12, 3}), nullptr, nullptr, t.x({d, 1, 3}), t.x({d, 1, 3})},
           {{"hidden_size", int64_t{3}}, {"direction", way}}, 3);
      t.op(OpKind::kGRU, {x, t.c({d, 9, 4}), t.c({d, 9, 3}), t.c({d, 18}), nullptr, t.x({d, 1, 3})},
           {{"hidden_size", int64_t{3}}, {"direction", way}, {"linear_before_reset", int64_t{1}}}, 2);
      t.op(OpKind::kRNN, {x, t.c({d, 3, 4}), t.c({d, 3, 3}), t.c({d, 6})},
           {{"hidden_size", int64_t{3}}, {"direction", way}}, 1);
      t.Expect(-1, 1, 1e-5, {{"T", 7}});
    }
  }
}

TEST(NcnnSelect, RunningSums) {
  for (const int64_t axis : {1, 2, -1}) {
    Case t;
    t.op(OpKind::kCumSum, {t.x({1, 4, 5, 6}), t.graph->AddConstant("a", Tensor::From<int64_t>({}, {axis}))});
    t.Expect();
  }
}

// A decoder's interpolate(x, size=skip.shape[-2:]).
TEST(NcnnResize, ToAnothersSize) {
  Case t;
  Value* x = t.x({1, 3, Dim::Symbol("H"), Dim::Symbol("W")});
  Value* small = t.op(OpKind::kConv, {x, t.c({4, 3, 3, 3})}, {{"strides", Ints{2, 2}}});
  Value* skip = t.op(OpKind::kConv, {x, t.c({2, 3, 3, 3})});
  for (const auto& [mode, coordinates, like] : std::vector<std::tuple<std::string, std::string, Value*>>{
           {"linear", "half_pixel", x}, {"linear", "align_corners", skip}, {"nearest", "asymmetric", skip}}) {
    Value* front = t.op(OpKind::kShape, {small}, {{"end", int64_t{2}}});
    Value* back = t.op(OpKind::kShape, {like}, {{"start", int64_t{2}}});
    t.op(OpKind::kResize, {small, nullptr, nullptr, t.op(OpKind::kConcat, {front, back}, {{"axis", int64_t{0}}})},
         {{"mode", mode}, {"coordinate_transformation_mode", coordinates}, {"nearest_mode", std::string("floor")}});
  }
  t.op(OpKind::kRelu, {skip});
  t.Expect(-1, 1, 1e-5, {{"H", 11}, {"W", 8}});
}

TEST(NcnnResize, Samples) {
  for (const char* mode : {"bilinear", "nearest"}) {
    for (const char* padding : {"zeros", "border", "reflection"}) {
      for (const int64_t corners : {0, 1}) {
        SCOPED_TRACE(::testing::Message() << mode << " " << padding << " " << corners);
        Case t;
        t.op(OpKind::kGridSample, {t.x({1, 3, 5, 7}), t.x({1, 4, 6, 2})},
             {{"mode", std::string(mode)}, {"padding_mode", std::string(padding)}, {"align_corners", corners}});
        t.Expect(-1.5f, 1.5f);
      }
    }
  }
}

TEST(NcnnGraph, AnInputThatIsAnOutputAndManyReaders) {
  Case t;
  Value* x = t.x({1, 3, 4, 5});
  Value* y = t.op(OpKind::kRelu, {x});
  t.op(OpKind::kAdd, {y, y});
  t.op(OpKind::kMul, {y, x});
  t.graph->AddOutput(x);
  t.graph->AddOutput(y);
  t.Expect();
}

TEST(NcnnGraph, BatchLeftOpenBecomesOne) {
  Case t;
  Value* x = t.op(OpKind::kConv, {t.x({Dim::Symbol("batch"), 3, 8, 8}), t.c({4, 3, 3, 3})});
  t.op(OpKind::kReshape, {x, t.ints({0, -1})});
  t.Expect(-1, 1, 1e-5, {{"batch", 1}});
}

TEST(NcnnGraph, NamesThatTheFormatCannotHold) {
  Case t;
  Value* x = t.graph->AddInput("image 0\n=é", DataType::kFloat32, {1, 3, 4, 5});
  Value* y = t.op(OpKind::kRelu, {x});
  t.graph->Rename(y, "a b");
  Value* z = t.op(OpKind::kNeg, {y});
  t.graph->Rename(z, "a_b");
  t.graph->AddOutput(y);
  t.Expect();
}

TEST(NcnnGraph, WholeNumbersThatNoFloatHoldsAreRefused) {
  Case t;
  Value* x = t.graph->AddInput("x", DataType::kInt64, {1, 4});
  t.graph->AddOutput(t.op(OpKind::kBitwiseAnd, {x, x}));
  ASSERT_TRUE(MakeInferShapes()->Run(*t.graph).ok());
  const auto folder = TemporaryFolder::Create("/tmp", "slipway-ncnn-case-");
  const auto emitted = ConvertToNcnn(*t.graph, folder->path());
  EXPECT_EQ(emitted.status().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace slipway::testing
