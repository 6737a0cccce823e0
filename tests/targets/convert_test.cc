#include "convert/targets/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/error.h"
#include "common/base/file.h"
#include "convert/passes/passes.h"

namespace slipway {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// `count` nodes that NCNN has no layer for, beside two that it has.
std::unique_ptr<Graph> GraphWithBlockedNodes(int count) {
  auto graph = std::make_unique<Graph>();
  Value* x = graph->AddInput("x", DataType::kFloat32, {3, 1, 4});
  Value* y = graph->AddNode(OpKind::kRelu, {x}, {"relu"})->output();
  for (int i = 0; i < count; ++i) {
    Node* node = graph->AddNode(OpKind::kNonZero, {y}, {fmt::format("blocked{}", i)});
    node->name = fmt::format("layer{}", i);
    graph->AddOutput(node->output());
  }
  graph->AddOutput(graph->AddNode(OpKind::kNeg, {y}, {"y"})->output());
  EXPECT_TRUE(MakeInferShapes()->Run(*graph).ok());
  return graph;
}

TEST(Convert, WritesWhatNothingBlocks) {
  const auto folder = TemporaryFolder::Create("/tmp", "slipway-convert-");
  ASSERT_TRUE(folder.ok());
  std::unique_ptr<Graph> legalized;
  const auto emitted =
      ConvertTo(NcnnTarget(), GraphWithBlockedNodes(0), {.model_name = "net"}, folder->path(), &legalized);
  ASSERT_TRUE(emitted.ok()) << emitted.status();
  EXPECT_EQ(emitted->path, "net.param");
  for (const std::string& file : emitted->files) EXPECT_TRUE(std::filesystem::exists(folder->path() / file)) << file;
  ASSERT_NE(legalized, nullptr);
  EXPECT_EQ(legalized->node_count(), 2u);
}

TEST(Convert, NamesThreeBlockingNodesAndCountsAll) {
  const auto folder = TemporaryFolder::Create("/tmp", "slipway-convert-");
  ASSERT_TRUE(folder.ok());
  const auto emitted = ConvertTo(NcnnTarget(), GraphWithBlockedNodes(5), {.model_name = "net"}, folder->path());
  EXPECT_EQ(emitted.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(KindOf(emitted.status()), ErrorKind::kModel);
  EXPECT_THAT(Message(emitted.status()),
              AllOf(HasSubstr("ncnn cannot say 5 nodes"), HasSubstr("'layer0'"), HasSubstr("'layer2'"),
                    HasSubstr("and 2 more"), Not(HasSubstr("'layer3'"))));
  EXPECT_TRUE(std::filesystem::is_empty(folder->path()));
  EXPECT_EQ(BlockingNodes(NcnnTarget(), *GraphWithBlockedNodes(5), {}).size(), 5u);
}

TEST(Convert, RefusalsHaveOneForm) {
  Graph graph;
  Node* node = graph.AddNode(OpKind::kRelu, {graph.AddInput("x", DataType::kFloat32, {1})}, {"y"});
  node->name = "act";
  EXPECT_EQ(Message(Unsupported(*node, "a reason", "a hint")), Describe(*node) + ": a reason; a hint");
  EXPECT_EQ(Message(Unsupported(*node, "a reason", "")), Describe(*node) + ": a reason");
}

}  // namespace
}  // namespace slipway
