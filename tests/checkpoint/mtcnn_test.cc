// The zoo's MTCNN against facenet-pytorch's own networks in PyTorch, on the published weights.
#include "tests/support/mtcnn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "common/base/error.h"
#include "convert/import/zoo/zoo.h"
#include "convert/onnx_form/onnx_form.h"
#include "convert/runtimes/runtime.h"
#include "tests/support/torch_fixture.h"

namespace slipway {
namespace {

using slipway::testing::Needed;
using slipway::testing::TorchOutput;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const TorchOutput& Ran() {
  static const TorchOutput output({"nets", Needed("SLIPWAY_MTCNN")});
  return output;
}

Source SourceOf(const std::string& net) {
  auto source = slipway::testing::MtcnnSource(net);
  EXPECT_TRUE(source.ok()) << source.status();
  return *std::move(source);
}

Checkpoint WeightsOf(const std::string& net) {
  auto checkpoint = ReadCheckpoint(SourceOf(net).main.file);
  EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
  return *std::move(checkpoint);
}

std::vector<std::string> OutputNames(const Graph& graph) {
  std::vector<std::string> names;
  for (const Value* output : graph.outputs()) names.push_back(output->name);
  return names;
}

double MaxAbsDifference(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return INFINITY;
  const std::vector<float> x = a.ToFloats(), y = b.ToFloats();
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) worst = std::max(worst, std::abs(static_cast<double>(x[i]) - y[i]));
  return worst;
}

TEST(Mtcnn, ComputesWhatPyTorchComputes) {
  auto scratch = TemporaryFolder::Create("/tmp", "slipway-mtcnn-");
  ASSERT_TRUE(scratch.ok());
  const auto hosts = SpawningHosts(Needed("SLIPWAY_PYTHON"), scratch->path());
  ASSERT_EQ(Ran().index().size(), 6u);
  int file = 0;
  for (const auto& run : Ran().index()) {
    const std::string net = run.at("net");
    SCOPED_TRACE(net);
    auto imported = Import(SourceOf(net));
    ASSERT_TRUE(imported.ok()) << imported.status();
    EXPECT_EQ(imported->reference, "zoo graph, checked against facenet-pytorch 2.6.0");
    for (const Graph* graph : {imported->as_written.get(), imported->model.graph.get()}) {
      const auto path = scratch->path() / fmt::format("{}.onnx", file++);
      ASSERT_TRUE(WriteOnnxFile(*graph, {}, path).ok());
      const auto session = LoadReference(*hosts, path);
      ASSERT_TRUE(session.ok()) << session.status();
      const auto outputs = (*session)->Run({{"image", Ran().Read(run.at("input"))}}, OutputNames(*graph));
      ASSERT_TRUE(outputs.ok()) << outputs.status();
      ASSERT_EQ(outputs->size(), run.at("outputs").size());
      for (size_t i = 0; i < outputs->size(); ++i) {
        const Tensor expected = Ran().Read(run.at("outputs")[i]);
        EXPECT_LT(MaxAbsDifference((*outputs)[i].second, expected), 1e-5) << (*outputs)[i].first;
      }
    }
  }
}

TEST(Mtcnn, InterfaceAndNames) {
  const auto pnet = BuildArchitecture("mtcnn-pnet", WeightsOf("pnet"));
  ASSERT_TRUE(pnet.ok()) << pnet.status();
  EXPECT_THAT(OutputNames(**pnet), ElementsAre("bbox_regression", "face_probability"));
  EXPECT_EQ(ToString(*(*pnet)->inputs()[0]->shape), "[1, 3, H, W]");
  for (const char* name : {"image", "conv1", "prelu1", "pool1", "conv1.weight", "conv4_1"}) {
    ASSERT_NE((*pnet)->Find(name), nullptr) << name;
    EXPECT_EQ((*pnet)->Find(name)->origin.source, name);
  }
  const auto onet = BuildArchitecture("mtcnn-onet", WeightsOf("onet"));
  ASSERT_TRUE(onet.ok()) << onet.status();
  EXPECT_THAT(OutputNames(**onet), ElementsAre("bbox_regression", "landmarks", "face_probability"));
}

TEST(Zoo, WeightsOfAnotherNetAreNamedKeyByKey) {
  const auto graph = BuildArchitecture("mtcnn-pnet", WeightsOf("rnet"));
  EXPECT_EQ(graph.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(
      Message(graph.status()),
      AllOf(HasSubstr("4 missing: conv4_1.weight, conv4_1.bias, conv4_2.weight, conv4_2.bias"),
            HasSubstr("unexpected: dense4.weight"), HasSubstr("conv1.weight is [28, 3, 3, 3], not [10, 3, 3, 3]")));
}

TEST(Zoo, ListsAreCutAfterFour) {
  Checkpoint strange = WeightsOf("onet");
  for (NamedTensor& named : strange.tensors) named.name = "other_" + named.name;
  const auto graph = BuildArchitecture("mtcnn-onet", strange);
  EXPECT_THAT(Message(graph.status()),
              AllOf(HasSubstr("21 missing: conv1.weight"), HasSubstr("and 17 more"), Not(HasSubstr("dense6_3.bias,"))));
}

TEST(Zoo, StateDictsAreFoundInWhatTheyAreWrappedIn) {
  for (const char* prefix : {"module.", "state_dict.", "model.", "model_state_dict.module.", "model_ema.backbone."}) {
    Checkpoint wrapped = WeightsOf("rnet");
    for (NamedTensor& named : wrapped.tensors) named.name = prefix + named.name;
    wrapped.tensors.push_back({"optimizer.state.0.exp_avg", Tensor::Scalar(1)});
    const auto graph = BuildArchitecture("mtcnn-rnet", wrapped);
    EXPECT_TRUE(graph.ok()) << prefix << graph.status();
  }
}

TEST(Zoo, OfTwoStateDictsTheBetterKnownIsTaken) {
  Checkpoint both;
  for (const NamedTensor& named : WeightsOf("rnet").tensors) {
    both.tensors.push_back(
        {"model_ema." + named.name, Tensor::Allocate(named.tensor.type(), named.tensor.shape()).first});
  }
  const Checkpoint rnet = WeightsOf("rnet");
  for (const NamedTensor& named : rnet.tensors) both.tensors.push_back({"state_dict." + named.name, named.tensor});
  const auto graph = BuildArchitecture("mtcnn-rnet", both);
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_TRUE((*graph)->Find("conv1.weight")->constant->SameBytes(rnet.tensors[0].tensor));
}

TEST(Zoo, HalfWeightsAreWidened) {
  Checkpoint halves = WeightsOf("rnet");
  for (NamedTensor& named : halves.tensors) named.tensor = named.tensor.Cast(DataType::kBFloat16);
  const auto graph = BuildArchitecture("mtcnn-rnet", halves);
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ((*graph)->Find("conv1.weight")->type, DataType::kFloat32);
}

TEST(Zoo, NearestNames) {
  EXPECT_THAT(NearestArchitectures("mtcn-onet", 1), ElementsAre("mtcnn-onet"));
  EXPECT_THAT(NearestArchitectures("pnet", 1), ElementsAre("mtcnn-pnet"));
  const auto graph = BuildArchitecture("mtcnn-qnet", WeightsOf("pnet"));
  EXPECT_EQ(KindOf(graph.status()), ErrorKind::kUsage);
  EXPECT_THAT(Message(graph.status()), HasSubstr("mtcnn-pnet"));
}

TEST(Import, ShapesFixWhatIsOpenAndNothingElse) {
  Source source = SourceOf("pnet");
  source.interface.shapes["image"] = {1, 3, 40, 50};
  source.interface.shapes["elsewhere"] = {2};
  const auto imported = Import(source);
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(ToString(*imported->model.graph->inputs()[0]->shape), "[1, 3, 40, 50]");
  EXPECT_EQ(ToString(*imported->as_written->inputs()[0]->shape), "[1, 3, 40, 50]");
  source.interface.shapes["image"] = {1, 4, 40, 50};
  EXPECT_EQ(KindOf(Import(source).status()), ErrorKind::kUsage);
}

}  // namespace
}  // namespace slipway
