// Made-up weights: the same every time, and no layer in which signals die or blow up,
// and no output that forgets which image it came from.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "common/base/error.h"
#include "convert/import/zoo/zoo.h"
#include "convert/onnx_form/onnx_form.h"
#include "convert/parity/parity.h"
#include "convert/runtimes/runtime.h"
#include "tests/support/torch_fixture.h"

namespace slipway {
namespace {

using slipway::testing::Needed;

constexpr size_t kEnough = 10;  // elements of which a spread can be told

double Deviation(const std::vector<float>& values) {
  double sum = 0, squares = 0;
  for (const float value : values) sum += value, squares += static_cast<double>(value) * value;
  const double count = static_cast<double>(values.size()), mean = sum / count;
  return std::sqrt(std::max(0.0, squares / count - mean * mean));
}

class Dummy : public ::testing::TestWithParam<std::string> {};

TEST_P(Dummy, EveryLayerIsAlive) {
  const Architecture& architecture = *FindArchitecture(GetParam());
  ArchitectureOptions options;
  if (architecture.classes > 0) options = {.input_size = 128, .classes = 12};
  const auto graph = BuildDummyArchitecture(GetParam(), 1, options);
  ASSERT_TRUE(graph.ok()) << graph.status();
  if (options.classes) {
    EXPECT_EQ(ToString(*(*graph)->outputs()[0]->shape), "[1, 12]");
  }
  const auto samples = MakeSamples(**graph, {.count = 2});
  ASSERT_TRUE(samples.ok()) << samples.status();

  std::set<std::string> outputs;
  for (const Value* output : (*graph)->outputs()) outputs.insert(output->name);
  std::vector<std::string> layers;
  Graph& all = **graph;
  for (const auto& node : all.nodes()) {
    layers.push_back(node->output()->name);
    if (!all.IsOutput(node->output())) all.AddOutput(node->output());
  }
  const TemporaryFolder scratch = TemporaryFolder::Create("/tmp", "slipway-dummy-").value();
  const auto hosts = SpawningHosts(Needed("SLIPWAY_PYTHON"), scratch.path());
  ASSERT_TRUE(WriteOnnxFile(all, {}, scratch.path() / "net.onnx").ok());
  const auto session = LoadReference(*hosts, scratch.path() / "net.onnx");
  ASSERT_TRUE(session.ok()) << session.status();
  const auto one = (*session)->Run((*samples)[0].inputs, layers), other = (*session)->Run((*samples)[1].inputs, layers);
  ASSERT_TRUE(one.ok() && other.ok()) << one.status() << other.status();
  ASSERT_EQ(one->size(), layers.size());
  size_t measured = 0;
  for (size_t i = 0; i < layers.size(); ++i) {
    const std::vector<float> first = (*one)[i].second.ToFloats();
    std::vector<float> difference = (*other)[i].second.ToFloats();
    const double spread = Deviation(first);
    if (first.size() >= kEnough) {
      EXPECT_GT(spread, 0.01) << layers[i];
      EXPECT_LT(spread, 30) << layers[i];
      ++measured;
    }
    if (!outputs.contains(layers[i]) || first.size() != difference.size()) continue;  // two sizes of a dynamic input
    for (size_t k = 0; k < first.size(); ++k) difference[k] -= first[k];
    fmt::print("{} {}: spread {:.3g}, between images {:.3g}\n", GetParam(), layers[i], spread, Deviation(difference));
    EXPECT_GT(Deviation(difference), 0.005 * spread) << layers[i] << " hardly depends on the image";
  }
  EXPECT_GE(measured, 8u);
}

TEST_P(Dummy, SameSeedSameWeights) {
  const auto once = BuildDummyArchitecture(GetParam(), 3, {}), again = BuildDummyArchitecture(GetParam(), 3, {}),
             other = BuildDummyArchitecture(GetParam(), 4, {});
  ASSERT_TRUE(once.ok() && again.ok() && other.ok());
  int weights = 0, differing = 0;
  for (const Value* value : (*once)->values()) {
    if (!value->IsConstant() || value->rank() == 0) continue;
    ++weights;
    EXPECT_TRUE(value->constant->SameBytes(*(*again)->Find(value->name)->constant)) << value->name;
    differing += value->constant->SameBytes(*(*other)->Find(value->name)->constant) ? 0 : 1;
  }
  EXPECT_GT(weights, 5);
  EXPECT_EQ(differing, weights);
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const Architecture& architecture : Architectures()) names.emplace_back(architecture.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Zoo, Dummy, ::testing::ValuesIn(Names()), [](const auto& info) {
  std::string name = info.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
}  // namespace slipway
