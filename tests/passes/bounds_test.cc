// What hostile graphs ask for: sizes that no tensor has, steps over the end of the numbers, constants that double at every node.
#include <gmock/gmock.h>

#include "convert/evaluate/evaluate.h"
#include "convert/ir/cast.h"
#include "tests/passes/harness.h"

namespace slipway::testing {
namespace {

using enum OpKind;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int64_t kLeast = std::numeric_limits<int64_t>::min(), kMost = std::numeric_limits<int64_t>::max();

Tensor Number(int64_t value) { return Tensor::From<int64_t>({}, {value}); }

// The error of a node of these operands; "" when there is none.
std::string ErrorOf(OpKind kind, std::vector<Value*> inputs, GraphMaker& make, const Attributes& attributes = {}) {
  Node* node = make.graph->AddNode(kind, std::move(inputs), {"result"}, attributes);
  node->name = "the node";
  return Message(InferNode(*node));
}

TEST(Bounds, ASizeThatCannotBeCountedNamesItsNode) {
  GraphMaker make;
  Value* x = make.In({1, 3, 8, 8});
  Value* wide = make.In({1, 1, 1, kMost / 2});
  Value* sized = make.In({Dim::Symbol("N"), kMost / 2});
  Value* weight = make.Random({3, 1, 2, 2});
  const auto expect = [&](OpKind kind, std::vector<Value*> inputs, std::string_view what, const Attributes& a = {}) {
    EXPECT_THAT(ErrorOf(kind, std::move(inputs), make, a), AllOf(HasSubstr("the node"), HasSubstr(what))) << Name(kind);
  };
  const std::string_view beyond = "more elements than can be counted";
  expect(kTile, {x, make.Ints({1, 1, kMost, 1})}, beyond);
  expect(kTile, {x, make.Ints({1, 1 << 30, 1 << 30, 1 << 30})}, beyond);
  expect(kTile, {sized, make.Ints({1, 4})}, beyond);
  expect(kPad, {x, make.Ints({0, 0, kMost, 0, 0, 0, kMost, 0})}, beyond);
  expect(kPad, {x, make.Ints({0, 0, kLeast, 0, 0, 0, -1, 0})}, "pads cut more than axis 2 has");
  expect(kExpand, {x, make.Ints({kMost, kMost, 3, 8, 8})}, beyond);
  expect(kConcat, {wide, wide, wide}, beyond, Attrs().Int("axis", 3));
  expect(kResize, {x, nullptr, make.Constant(Tensor::Float32s({1, 1, 3e38f, 1}))}, beyond);
  expect(kConstantOfShape, {make.Ints({kMost, 2})}, beyond);
  expect(kReshape, {x, make.Ints({kMost, 2, kMost})}, "");
  expect(kRange,
         {make.Constant(Tensor::Scalar(0)), make.Constant(Tensor::Scalar(3e38f)), make.Constant(Tensor::Scalar(1e-3f))},
         "elements");
  expect(kDepthToSpace, {x}, "blocksize", Attrs().Int("blocksize", int64_t{1} << 62));
  expect(kConvTranspose, {x, weight}, "out of range", Attrs().Ints("strides", {kMost, 1}));
  expect(kConvTranspose, {make.In({1, 3, 8, kMost / 2}), weight}, beyond, Attrs().Ints("strides", {1, 4}));
  expect(kConvTranspose, {x, weight}, beyond, Attrs().Int("group", kMost));
  expect(kConv, {x, make.Random({3, 3, 2, 2})}, "out of range", Attrs().Ints("pads", {0, kMost, 0, kMost}));
  expect(kSpaceToDepth, {make.In({1, kMost / 2, 8, 8})}, beyond, Attrs().Int("blocksize", 2));
}

// Chains that double a constant at every node stop at the bound of all folding, not at the end of the memory.
TEST(Bounds, FoldedConstantsHaveABudget) {
  GraphMaker make;
  Value* value = make.Constant(Tensor::From({1 << 14}, std::vector<float>(1 << 14, 1)));
  for (int i = 0; i < 40; ++i) {
    Node* node = make.graph->AddNode(kConcat, {value, value}, {""}, Attrs().Int("axis", 0));
    ASSERT_TRUE(InferNode(*node).ok());
    value = node->output();
  }
  make.Out(value);
  ASSERT_TRUE(MakeFoldConstants()->Run(*make.graph).ok());
  EXPECT_LE(make.graph->folded_bytes, int64_t{512} << 20);
  EXPECT_GT(make.graph->folded_bytes, int64_t{64} << 20);
  EXPECT_GT(CountKind(*make.graph, kConcat), 20);
}

// A model of half weights that are widened by Casts folds, however large: what goes makes room.
TEST(Bounds, WideningWeightsIsNoGrowth) {
  GraphMaker make;
  const Tensor half = Tensor::From({1 << 16}, std::vector<float>(1 << 16, 0.5f)).Cast(DataType::kFloat16);
  for (int i = 0; i < 4; ++i) {
    make.Out(make.Op(kCast, {make.Constant(half)}, Attrs().Int("to", ElementTypeCode(DataType::kFloat32))));
  }
  ASSERT_TRUE(MakeFoldConstants()->Run(*make.graph).ok());
  EXPECT_EQ(make.graph->node_count(), 0u);
  EXPECT_EQ(make.graph->folded_bytes, 0);
}

std::vector<double> Evaluated(OpKind kind, const std::vector<Tensor>& operands, const Attributes& attributes = {}) {
  GraphMaker make;
  std::vector<Value*> inputs;
  for (const Tensor& operand : operands) inputs.push_back(make.Constant(operand));
  Node* node = make.graph->AddNode(kind, inputs, {""}, attributes);
  if (const absl::Status status = InferNode(*node); !status.ok()) {
    ADD_FAILURE() << status;
    return {};
  }
  const auto results = EvaluateNode(*node, operands, 1 << 20);
  if (!results.ok()) return {};
  return results->front().ToDoubles();
}

// Two's complement, as the runtimes' own integers; undefined behaviour (under UBSan an abort) would be the alternative.
TEST(Bounds, IntegersWrapAround) {
  const auto wrapped = [](double x) { return std::vector<double>{x}; };
  EXPECT_EQ(Evaluated(kCumSum, {Tensor::Int64s({kMost, 1}), Number(0)}), (std::vector<double>{0x1p63, -0x1p63}));
  EXPECT_EQ(Evaluated(kPow, {Tensor::Int64s({3}), Tensor::Int64s({int64_t{1} << 40})}), wrapped(0x1p63));
  EXPECT_EQ(Evaluated(kPow, {Tensor::Int64s({-2}), Tensor::Int64s({65})}), wrapped(-0x1p63));
  EXPECT_EQ(Evaluated(kAdd, {Tensor::Int64s({kMost}), Tensor::Int64s({1})}), wrapped(-0x1p63));
  EXPECT_EQ(Evaluated(kSlice, {Tensor::Int64s({1, 2, 3}), Tensor::Int64s({-1}), Tensor::Int64s({kLeast}),
                               Tensor::Int64s({0}), Tensor::Int64s({kLeast})}),
            wrapped(3));
}

// The same arithmetic on shapes, where a value may become a size.
TEST(Bounds, ShapeArithmeticDoesNotOverflow) {
  GraphMaker make;
  Value* shape = make.Op(kShape, {make.In({Dim::Symbol("N"), 6, 4})});
  const auto slice = [&](int64_t start, int64_t end, int64_t step) {
    return ShapeValue(
        *make.Op(kSlice, {shape, make.Ints({start}), make.Ints({end}), make.Ints({0}), make.Ints({step})}));
  };
  EXPECT_EQ(slice(0, kMost, kMost), (std::vector<Dim>{Dim::Symbol("N")}));
  EXPECT_EQ(slice(-1, kLeast, kLeast), (std::vector<Dim>{Dim(4)}));
  EXPECT_EQ(slice(1, kMost, 1), (std::vector<Dim>{Dim(6), Dim(4)}));
  const auto quotient = ShapeValue(*make.Op(kDiv, {make.Ints({kLeast}), make.Constant(Tensor::Int64s({-1}))}));
  EXPECT_TRUE(!quotient || quotient->front().Overflows());
}

}  // namespace
}  // namespace slipway::testing
