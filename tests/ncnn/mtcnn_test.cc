// The whole way of the trained networks: checkpoint → zoo → NCNN, against onnxruntime on the zoo's graph.
#include "tests/support/mtcnn.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/ncnn/harness.h"

namespace slipway::testing {
namespace {

void ExpectSame(const std::string& net, const std::map<std::string, int64_t>& sizes) {
  ExpectSameMtcnn(net, [&](const Graph& graph) { return CompareWithOnnxruntime(graph, sizes); });
}

TEST(NcnnMtcnn, PnetAtTwoSizes) {
  ExpectSame("pnet", {{"H", 61}, {"W", 84}});
  ExpectSame("pnet", {{"H", 24}, {"W", 17}});
}
TEST(NcnnMtcnn, Rnet) { ExpectSame("rnet", {}); }
TEST(NcnnMtcnn, Onet) { ExpectSame("onet", {}); }

TEST(NcnnMtcnn, InterfaceAndValues) {
  const auto imported = ImportMtcnn("pnet");
  ASSERT_TRUE(imported.ok()) << imported.status();
  const auto folder = TemporaryFolder::Create("/tmp", "slipway-ncnn-case-");
  const auto emitted = ConvertToNcnn(*imported->model.graph, folder->path());
  ASSERT_TRUE(emitted.ok()) << emitted.status();
  EXPECT_EQ(emitted->io.inputs[0].name, "image");
  EXPECT_EQ(emitted->io.inputs[0].shape, (std::vector<int64_t>{3, -1, -1}));
  EXPECT_EQ(emitted->io.inputs[0].dropped_axis, 0);
  EXPECT_EQ(emitted->io.outputs[0].source, "bbox_regression");
  EXPECT_EQ(emitted->files, (std::vector<std::string>{"model.param", "model.bin"}));
  // Every value that is named can be fetched, and is that value.
  const auto session = LoadArtifact(Hosts(), "ncnn", "fp16 options off", folder->path() / emitted->path);
  ASSERT_TRUE(session.ok()) << session.status();
  std::vector<std::string> names;
  for (const ArtifactValue& value : emitted->values) {
    EXPECT_TRUE(value.origin.known());
    names.push_back(value.name);
  }
  EXPECT_GE(names.size(), 8u);
  const auto values = (*session)->Run({{"image", RandomTensor({3, 30, 40}, 1)}}, names);
  EXPECT_TRUE(values.ok()) << values.status();
}

TEST(NcnnMtcnn, SameBytesEveryTime) {
  std::string first[2];
  for (int round = 0; round < 2; ++round) {
    const auto imported = ImportMtcnn("onet");
    ASSERT_TRUE(imported.ok()) << imported.status();
    const auto folder = TemporaryFolder::Create("/tmp", "slipway-ncnn-case-");
    ASSERT_TRUE(ConvertToNcnn(*imported->model.graph, folder->path()).ok());
    int i = 0;
    for (const char* file : {"model.param", "model.bin"}) {
      const auto bytes = ReadFile(folder->path() / file);
      ASSERT_TRUE(bytes.ok());
      if (round == 0) first[i] = *bytes;
      EXPECT_EQ(first[i++], *bytes);
    }
  }
}

}  // namespace
}  // namespace slipway::testing
