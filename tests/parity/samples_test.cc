// What is fed to a model, and what of its outputs is compared before its last activation.
#include <gtest/gtest.h>

#include <cmath>

#include "convert/parity/parity.h"
#include "convert/passes/passes.h"

namespace slipway {
namespace {

// Several features in one table: each column's indices are moved to its rows before they are looked up.
TEST(SamplesTest, ShiftedIndicesStayWithinTheTable) {
  Graph graph;
  Value* table = graph.AddConstant("table", Tensor::Allocate(DataType::kFloat32, {24, 4}).first);
  Value* ids = graph.AddInput("ids", DataType::kInt64, {2, 3});
  Value* offsets = graph.AddConstant("offsets", Tensor::From<int64_t>({1, 3}, {0, 8, 16}));
  Value* doubled =
      graph.AddNode(OpKind::kMul, {ids, graph.AddConstant("two", Tensor::From<int64_t>({}, {2}))}, {"doubled"})
          ->output();
  Value* moved = graph.AddNode(OpKind::kAdd, {offsets, doubled}, {"moved"})->output();
  graph.AddOutput(graph.AddNode(OpKind::kGather, {table, moved}, {"rows"})->output());
  auto samples = MakeSamples(graph, {});
  ASSERT_TRUE(samples.ok()) << samples.status();
  int64_t most = 0;
  for (const Sample& sample : *samples) {
    for (const int64_t index : sample.inputs[0].second.ToInt64s()) {
      EXPECT_GE(index, 0);
      most = std::max(most, index);
    }
  }
  EXPECT_EQ(most, 3);  // 16 + 2 * 3 = 22 is a row, 24 none
}

TEST(SamplesTest, AreDrawnByUseAndRepeatExactly) {
  Graph graph;
  Value* table = graph.AddConstant("table", Tensor::Allocate(DataType::kFloat32, {11, 4}).first);
  Value* ids = graph.AddInput("ids", DataType::kInt64, {1, Dim::Symbol("S")});
  Value* image = graph.AddInput("image", DataType::kFloat32, {Dim::Symbol("batch"), 3, 32, 32});
  graph.AddInput("attention_mask", DataType::kInt64, {1, Dim::Symbol("S")});
  Value* rows =
      graph.AddNode(OpKind::kGather, {table, graph.AddNode(OpKind::kIdentity, {ids}, {"same"})->output()}, {"rows"})
          ->output();
  graph.AddOutput(rows);
  graph.AddOutput(graph.AddNode(OpKind::kRelu, {image}, {"out"})->output());
  auto samples = MakeSamples(graph, {});
  ASSERT_TRUE(samples.ok()) << samples.status();
  ASSERT_EQ(samples->size(), 8u);
  bool uses_high_rows = false;
  for (const Sample& sample : *samples) {
    const auto indices = sample.inputs[0].second.ToInt64s();
    EXPECT_EQ(sample.inputs[0].second.shape(), sample.inputs[2].second.shape());
    for (const int64_t index : indices) {
      EXPECT_GE(index, 0);
      EXPECT_LT(index, 11);
      uses_high_rows |= index > 7;
    }
    const auto pixels = sample.inputs[1].second.ToFloats();
    double step = 0, spread = 0, mean = 0;
    for (size_t i = 1; i < pixels.size(); ++i) {
      ASSERT_LE(std::abs(pixels[i]), 1);
      mean += pixels[i] / static_cast<double>(pixels.size());
      if (i % 32 != 0) step += std::abs(pixels[i] - pixels[i - 1]) / static_cast<double>(pixels.size());
    }
    for (const float pixel : pixels) spread += std::abs(pixel - mean) / static_cast<double>(pixels.size());
    EXPECT_LT(step, 0.8 * spread);  // neighbours are alike
    for (const int64_t bit : sample.inputs[2].second.ToInt64s()) EXPECT_TRUE(bit == 0 || bit == 1);
  }
  EXPECT_TRUE(uses_high_rows);
  EXPECT_NE((*samples)[0].inputs[0].second.shape(), (*samples)[7].inputs[0].second.shape());
  EXPECT_EQ((*samples)[0].inputs[1].second.shape()[0], 1);
  EXPECT_EQ((*samples)[7].inputs[1].second.shape()[0], 2);
  auto again = MakeSamples(graph, {});
  EXPECT_TRUE((*again)[3].inputs[1].second.SameBytes((*samples)[3].inputs[1].second));
  EXPECT_FALSE((*samples)[3].inputs[1].second.SameBytes((*samples)[2].inputs[1].second));
  SampleOptions other;
  other.seed = 1;
  EXPECT_FALSE((*MakeSamples(graph, other))[3].inputs[1].second.SameBytes((*samples)[3].inputs[1].second));
  SampleOptions few;
  few.count = 1;
  EXPECT_EQ(MakeSamples(graph, few)->size(), 4u);  // two a size
}

TEST(FinalActivationTest, IsFoundThroughReshapingOnly) {
  Graph graph;
  Value* x = graph.AddInput("x", DataType::kFloat32, {1, 4});
  x->origin.source = "x";
  Value* probabilities = graph.AddNode(OpKind::kSigmoid, {x}, {"p"})->output();
  graph.AddOutput(
      graph.AddNode(OpKind::kFlatten, {graph.AddNode(OpKind::kIdentity, {probabilities}, {"q"})->output()}, {"flat"})
          ->output());
  graph.AddOutput(graph.AddNode(OpKind::kNeg, {probabilities}, {"negative"})->output());
  ASSERT_TRUE(MakeInferShapes()->Run(graph).ok());
  const auto found = FindFinalActivations(graph);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].output, "flat");
  EXPECT_EQ(found[0].before, "x");
  EXPECT_EQ(found[0].kind, OpKind::kSigmoid);
}

}  // namespace
}  // namespace slipway
