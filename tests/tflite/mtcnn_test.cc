// The whole way of the trained networks: checkpoint → zoo → TFLite, against onnxruntime on the zoo's graph.
#include "tests/support/mtcnn.h"

#include <cstdlib>

#include "tests/tflite/harness.h"

namespace slipway::testing {
namespace {

void ExpectSame(const std::string& net, const std::vector<std::map<std::string, int64_t>>& sizes) {
  ExpectSameMtcnn(net, [&](const Graph& graph) { return CompareInLitert(graph, sizes); });
}

TEST(TfliteMtcnn, PnetAtTwoSizes) { ExpectSame("pnet", {{{"H", 61}, {"W", 84}}, {{"H", 24}, {"W", 17}}}); }
TEST(TfliteMtcnn, Rnet) { ExpectSame("rnet", {{{"batch", 1}, {"N", 1}}, {{"batch", 2}, {"N", 2}}}); }
TEST(TfliteMtcnn, Onet) { ExpectSame("onet", {{{"batch", 1}, {"N", 1}}}); }

TEST(TfliteMtcnn, TransposesAtTheInterfaceOnly) {
  for (const auto& [net, outputs] : std::map<std::string, int>{{"pnet", 2}, {"rnet", 0}, {"onet", 0}}) {
    const auto imported = ImportMtcnn(net);
    ASSERT_TRUE(imported.ok()) << imported.status();
    const auto folder = TemporaryFolder::Create("/tmp", "slipway-tflite-case-");
    std::unique_ptr<Graph> legalized;
    const auto emitted = ConvertToTflite(*imported->model.graph, folder->path(), &legalized);
    ASSERT_TRUE(emitted.ok()) << emitted.status();
    EXPECT_EQ(CountKind(*legalized, OpKind::kTranspose), 1 + outputs) << net;
  }
}

TEST(TfliteMtcnn, SameBytesEveryTime) {
  std::string first;
  for (int round = 0; round < 2; ++round) {
    const auto imported = ImportMtcnn("onet");
    ASSERT_TRUE(imported.ok()) << imported.status();
    const auto folder = TemporaryFolder::Create("/tmp", "slipway-tflite-case-");
    ASSERT_TRUE(ConvertToTflite(*imported->model.graph, folder->path()).ok());
    const auto bytes = ReadFile(folder->path() / "model.tflite");
    ASSERT_TRUE(bytes.ok());
    if (round == 0) first = *bytes;
    EXPECT_TRUE(first == *bytes);
  }
}

// Every value that is listed can be fetched, and is its source's tensor in the order that its origin says.
TEST(TfliteMtcnn, InnerValuesAreTheirOrigins) {
  const auto imported = ImportMtcnn("pnet");
  ASSERT_TRUE(imported.ok()) << imported.status();
  const auto folder = TemporaryFolder::Create("/tmp", "slipway-tflite-case-");
  const auto emitted = ConvertToTflite(*imported->model.graph, folder->path());
  ASSERT_TRUE(emitted.ok()) << emitted.status();
  const Graph& source = *imported->as_written;
  const NamedTensors inputs = RandomInputs(source, {{"H", 30}, {"W", 41}});
  std::vector<std::string> names;
  std::vector<const Value*> sources;
  std::vector<Origin> origins;
  for (const ArtifactValue& value : emitted->values) {
    const Value* found = source.Find(value.origin.source);
    if (found == nullptr || found->producer == nullptr || source.IsOutput(found)) continue;
    names.push_back(value.name);
    sources.push_back(found);
    origins.push_back(value.origin);
  }
  EXPECT_GE(names.size(), 6u);
  const auto expected = RunInOnnxruntime(source, inputs, sources);
  ASSERT_TRUE(expected.ok()) << expected.status();
  const auto session = LoadArtifact(Hosts(), "tflite", "built-in kernels", folder->path() / emitted->path);
  ASSERT_TRUE(session.ok()) << session.status();
  const auto actual = (*session)->Run(inputs, names);
  ASSERT_TRUE(actual.ok()) << actual.status();
  for (size_t i = 0; i < names.size(); ++i) {
    Tensor want = (*expected)[source.outputs().size() + i].second;
    if (!origins[i].permutation.empty()) want = Transpose(want, origins[i].permutation);
    EXPECT_LT(Difference(want, (*actual)[i].second), 1e-5) << names[i];
  }
}

}  // namespace
}  // namespace slipway::testing
