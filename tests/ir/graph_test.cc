#include "convert/ir/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/error.h"
#include "convert/ir/spatial.h"

namespace slipway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// x → Relu a → Sigmoid b (output), and c = Add(a, k) unread.
struct Chain {
  Graph graph;
  Value* x = graph.AddInput("x", DataType::kFloat32, {1, 3});
  Value* k = graph.AddConstant("k", Tensor::Float32s({1, 2, 3}));
  Node* relu = graph.AddNode(OpKind::kRelu, {x}, {"a"});
  Node* sigmoid = graph.AddNode(OpKind::kSigmoid, {relu->output()}, {"b"});
  Node* add = graph.AddNode(OpKind::kAdd, {relu->output(), k}, {"c"});
  Chain() { graph.AddOutput(sigmoid->output()); }
};

TEST(Graph, LinksBothWays) {
  Chain chain;
  EXPECT_TRUE(chain.graph.Validate().ok());
  EXPECT_THAT(chain.relu->output()->uses, ElementsAre(Use{chain.sigmoid, 0}, Use{chain.add, 0}));
  chain.graph.ReplaceUses(chain.relu->output(), chain.x);
  EXPECT_TRUE(chain.relu->output()->uses.empty());
  EXPECT_EQ(chain.sigmoid->input(0), chain.x);
  EXPECT_TRUE(chain.graph.Validate().ok());
}

TEST(Graph, ValidateSeesABrokenLink) {
  Chain chain;
  chain.sigmoid->inputs[0] = chain.x;  // behind the graph's back
  EXPECT_THAT(Message(chain.graph.Validate()), HasSubstr("Sigmoid"));
}

TEST(Graph, RemovesWhatNobodyReads) {
  Chain chain;
  EXPECT_EQ(chain.graph.RemoveDead(), 1);
  EXPECT_EQ(chain.graph.Find("c"), nullptr);
  EXPECT_EQ(chain.graph.Find("k"), nullptr);
  EXPECT_EQ(chain.graph.node_count(), 2u);
  EXPECT_TRUE(chain.graph.Validate().ok());
}

TEST(Graph, SortsAndNamesACycle) {
  Chain chain;
  chain.graph.MoveBefore(chain.sigmoid, chain.relu);
  EXPECT_FALSE(chain.graph.Validate().ok());
  EXPECT_TRUE(chain.graph.SortTopologically().ok());
  EXPECT_TRUE(chain.graph.Validate().ok());
  chain.graph.SetInput(chain.relu, 0, chain.sigmoid->output());
  EXPECT_THAT(Message(chain.graph.SortTopologically()), HasSubstr("cycle"));
}

TEST(Graph, KeepsNamesUnique) {
  Chain chain;
  Value* other = chain.graph.AddConstant("x", Tensor::Scalar(1));
  EXPECT_NE(other->name, "x");
  EXPECT_EQ(chain.graph.Find("x"), chain.x);
  chain.graph.Rename(other, "fresh");
  EXPECT_EQ(chain.graph.Find("fresh"), other);
}

TEST(Graph, SubgraphsKeepWhatTheyCapture) {
  Graph graph;
  Value* condition = graph.AddInput("condition", DataType::kBool, {});
  Value* x = graph.AddInput("x", DataType::kFloat32, {2});
  Node* relu = graph.AddNode(OpKind::kRelu, {x}, {"a"});
  auto branch = std::make_shared<Graph>();
  branch->parent = &graph;
  branch->AddOutput(branch->AddNode(OpKind::kNeg, {relu->output()}, {"n"})->output());
  auto direct = std::make_shared<Graph>();
  direct->parent = &graph;
  direct->AddOutput(relu->output());
  Attributes attributes;
  attributes.Set("then_branch", branch);
  attributes.Set("else_branch", direct);
  graph.AddOutput(graph.AddNode(OpKind::kIf, {condition}, {"y"}, attributes)->output());
  EXPECT_EQ(graph.RemoveDead(), 0);
  ASSERT_TRUE(graph.Validate().ok()) << graph.Validate();

  absl::flat_hash_map<const Value*, Value*> map;
  auto copy = graph.Clone(&map);
  ASSERT_TRUE(copy->Validate().ok()) << copy->Validate();
  Graph* inner = copy->nodes().back()->attributes.Subgraph("then_branch");
  EXPECT_EQ(inner->nodes().front()->input(0), map[relu->output()]);
  EXPECT_EQ(copy->nodes().back()->attributes.Subgraph("else_branch")->outputs()[0], map[relu->output()]);

  graph.ReplaceUses(relu->output(), x);
  EXPECT_EQ(branch->nodes().front()->input(0), x);
  EXPECT_EQ(direct->outputs()[0], x);
}

TEST(Graph, CloneIsIndependent) {
  Chain chain;
  const std::byte* shared = chain.k->constant->bytes().data();
  auto copy = chain.graph.Clone();
  chain.graph.RemoveDead();
  EXPECT_NE(copy->Find("c"), nullptr);
  EXPECT_EQ(copy->Find("k")->constant->bytes().data(), shared);
  EXPECT_TRUE(copy->Validate().ok());
}

Node* AddPool(Graph& graph, Dim height, std::string auto_pad, int64_t kernel, int64_t stride) {
  Value* data = graph.AddInput("data", DataType::kFloat32, {1, 3, height});
  Attributes attributes;
  attributes.Set("kernel_shape", std::vector<int64_t>{kernel});
  attributes.Set("strides", std::vector<int64_t>{stride});
  attributes.Set("auto_pad", std::move(auto_pad));
  return graph.AddNode(OpKind::kMaxPool, {data}, {"pooled"}, attributes);
}

TEST(Spatial, ResolvesSame) {
  Graph graph;
  auto params = ReadSpatialParams(*AddPool(graph, 7, "SAME_UPPER", 4, 2));
  ASSERT_TRUE(params.ok()) << params.status();
  EXPECT_THAT(params->pads_begin, ElementsAre(1));  // 4 outputs reach 10 elements: 3 pads, the odd one at the end
  EXPECT_THAT(params->pads_end, ElementsAre(2));
  Graph lower;
  params = ReadSpatialParams(*AddPool(lower, 7, "SAME_LOWER", 4, 2));
  EXPECT_THAT(params->pads_begin, ElementsAre(2));
  Graph symbolic;
  EXPECT_THAT(Message(ReadSpatialParams(*AddPool(symbolic, Dim::Symbol("H"), "SAME_UPPER", 4, 2)).status()),
              HasSubstr("--shape data="));
  Graph unknown;
  EXPECT_THAT(Message(ReadSpatialParams(*AddPool(unknown, 7, "MOSTLY", 4, 2)).status()), HasSubstr("MOSTLY"));
}

TEST(Spatial, CeilModeDropsWindowsBeyondTheData) {
  EXPECT_EQ(PooledSize(22, 3, 2, 1, 0, 0, true), Dim(11));
  EXPECT_EQ(PooledSize(22, 3, 2, 1, 0, 0, false), Dim(10));
  EXPECT_EQ(PooledSize(2, 1, 2, 1, 0, 1, true), Dim(1));  // a second window would begin in the padding
  EXPECT_EQ(PooledSize(Dim::Symbol("H"), 2, 2, 1, 0, 0, true), CeilDiv(Dim::Symbol("H") - Dim(2), Dim(2)) + Dim(1));
}

TEST(Graph, ANodeTakesTheReadersInItsSubgraphsWithIt) {
  Graph graph;
  Value* x = graph.AddInput("x", DataType::kFloat32, {2});
  Value* choice = graph.AddInput("choice", DataType::kBool, {});
  auto branch = std::make_shared<Graph>();
  branch->parent = &graph;
  branch->AddOutput(branch->AddNode(OpKind::kRelu, {x}, {"inner"})->output());
  Attributes attributes;
  attributes.Set("then_branch", std::move(branch));
  Node* node = graph.AddNode(OpKind::kIf, {choice}, {"y"}, std::move(attributes));
  ASSERT_EQ(x->uses.size(), 1u);
  graph.RemoveNode(node);
  EXPECT_TRUE(x->uses.empty());
  EXPECT_TRUE(choice->uses.empty());
}

}  // namespace
}  // namespace slipway
