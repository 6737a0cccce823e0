// The zoo's classifiers against torchvision's and timm's own networks in PyTorch, on the same state dicts.
#include "convert/import/zoo/zoo.h"

#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "common/base/error.h"
#include "convert/import/import.h"
#include "convert/onnx_form/onnx_form.h"
#include "convert/parity/parity.h"
#include "convert/runtimes/runtime.h"
#include "convert/targets/convert.h"
#include "tests/support/torch_fixture.h"

namespace slipway {
namespace {

using slipway::testing::Needed;
using slipway::testing::TorchOutput;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Net {
  std::string architecture;
  std::string in_python;  // tests/support/zoo_nets.py's name
  int64_t classes = 17;
};

void PrintTo(const Net& net, std::ostream* out) { *out << net.in_python; }

class ZooNet : public ::testing::TestWithParam<Net> {
 protected:
  ZooNet() : ran_("zoo_nets.py", "SLIPWAY_TORCH_PYTHON", {GetParam().in_python}), run_(ran_.index().at(0)) {
    scratch_ = std::make_unique<TemporaryFolder>(TemporaryFolder::Create("/tmp", "slipway-zoo-").value());
    hosts_ = SpawningHosts(Needed("SLIPWAY_PYTHON"), scratch_->path());
  }

  Source TheSource() const {
    Source source;
    source.kind = Source::Kind::kCheckpoint;
    source.architecture = GetParam().architecture;
    source.main.path = run_.at("checkpoint");
    source.main.file = MappedFile::Open(ran_.folder() / source.main.path).value();
    source.input_size = run_.at("size").get<int64_t>();
    return source;
  }

  TorchOutput ran_;
  const nlohmann::json& run_;
  std::unique_ptr<TemporaryFolder> scratch_;
  std::unique_ptr<HostProvider> hosts_;
};

double MaxScaledError(const Tensor& actual, const Tensor& expected) {
  if (actual.shape() != expected.shape()) return INFINITY;
  const std::vector<float> x = actual.ToFloats(), y = expected.ToFloats();
  double worst = 0, scale = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(x[i]) - y[i]));
    scale = std::max(scale, std::abs(static_cast<double>(y[i])));
  }
  return worst / scale;
}

TEST_P(ZooNet, ComputesWhatPyTorchComputes) {
  auto imported = Import(TheSource());
  ASSERT_TRUE(imported.ok()) << imported.status();
  int file = 0;
  for (const Graph* graph : {imported->as_written.get(), imported->model.graph.get()}) {
    const auto path = scratch_->path() / fmt::format("{}.onnx", file++);
    ASSERT_TRUE(WriteOnnxFile(*graph, {}, path).ok());
    const auto session = LoadReference(*hosts_, path);
    ASSERT_TRUE(session.ok()) << session.status();
    for (size_t i = 0; i < run_.at("inputs").size(); ++i) {
      const auto outputs = (*session)->Run({{"image", ran_.Read(run_.at("inputs")[i])}}, {"logits"});
      ASSERT_TRUE(outputs.ok()) << outputs.status();
      const Tensor expected = ran_.Read(run_.at("outputs")[i]);
      EXPECT_THAT(expected.shape(), ElementsAre(1, GetParam().classes));
      const double error = MaxScaledError((*outputs)[0].second, expected);
      fmt::print("{}: {:.2g}\n", GetParam().in_python, error);
      EXPECT_LT(error, 1e-5);
    }
  }
}

// Judged with PyTorch's own outputs as the reference, in every configuration of every target.
TEST_P(ZooNet, EveryTargetComputesIt) {
  ReferenceBundle reference;
  reference.reference = "PyTorch";
  for (size_t i = 0; i < run_.at("inputs").size(); ++i) {
    reference.samples.push_back({.inputs = {{"image", ran_.Read(run_.at("inputs")[i])}},
                                 .outputs = {{"logits", ran_.Read(run_.at("outputs")[i])}}});
  }
  for (const std::string target : {"onnx", "tflite", "coreml", "ncnn"}) {
    SCOPED_TRACE(target);
    auto imported = Import(TheSource());
    ASSERT_TRUE(imported.ok()) << imported.status();
    JudgeRequest request{.target = target, .precision = "fp32", .folder = scratch_->path() / target};
    std::filesystem::create_directory(request.folder);
    TargetOptions options;
    options.model_name = "net";
    auto emitted = ConvertTo(*FindTargetByName(target), std::move(imported->model.graph), options, request.folder);
    ASSERT_TRUE(emitted.ok()) << emitted.status();
    request.emitted = *std::move(emitted);
    const auto result = Judge(*hosts_, request, reference);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->verdict, Verdict::kPassed) << result->reason;
    EXPECT_EQ(result->samples, 2);
  }
}

INSTANTIATE_TEST_SUITE_P(Zoo, ZooNet,
                         ::testing::Values(Net{"resnet18", "torchvision/resnet18"}, Net{"resnet18", "timm/resnet18"},
                                           Net{"resnet34", "torchvision/resnet34"}, Net{"resnet34", "timm/resnet34"},
                                           Net{"resnet50", "torchvision/resnet50"}, Net{"resnet50", "timm/resnet50"},
                                           Net{"mobilenet_v2", "torchvision/mobilenet_v2"},
                                           Net{"mobilenet_v2", "timm/mobilenetv2_100"},
                                           Net{"mobilenet_v3_small", "torchvision/mobilenet_v3_small"},
                                           Net{"mobilenet_v3_small", "timm/mobilenetv3_small_100"},
                                           Net{"mobilenet_v3_large", "torchvision/mobilenet_v3_large"},
                                           Net{"mobilenet_v3_large", "timm/mobilenetv3_large_100"},
                                           Net{"efficientnet_b0", "torchvision/efficientnet_b0"},
                                           Net{"efficientnet_b0", "timm/efficientnet_b0"}, Net{"lite", "lite", 10}),
                         [](const auto& info) {
                           std::string name = info.param.in_python;
                           std::ranges::replace(name, '/', '_');
                           return name;
                         });

// What --preset classifier normalises by is what every published set of weights expects, or the table names those that expect other.
TEST(ZooStatistics, AreThoseOfThePublishedWeights) {
  const std::vector<std::pair<std::string, std::string>> nets = {
      {"resnet18", "torchvision/resnet18"},
      {"resnet18", "timm/resnet18"},
      {"resnet34", "torchvision/resnet34"},
      {"resnet34", "timm/resnet34"},
      {"resnet50", "torchvision/resnet50"},
      {"resnet50", "timm/resnet50"},
      {"mobilenet_v2", "torchvision/mobilenet_v2"},
      {"mobilenet_v2", "timm/mobilenetv2_100"},
      {"mobilenet_v3_small", "torchvision/mobilenet_v3_small"},
      {"mobilenet_v3_small", "timm/mobilenetv3_small_100"},
      {"mobilenet_v3_large", "torchvision/mobilenet_v3_large"},
      {"mobilenet_v3_large", "timm/mobilenetv3_large_100"},
      {"efficientnet_b0", "torchvision/efficientnet_b0"},
      {"efficientnet_b0", "timm/efficientnet_b0"}};
  std::vector<std::string> arguments;
  std::map<std::string, std::string> names;
  for (const auto& [architecture, net] : nets) {
    arguments.push_back(net);
    names[net] = architecture;
  }
  const TorchOutput told("image_statistics.py", "SLIPWAY_TORCH_PYTHON", arguments);
  std::set<std::string> seen, exceptions;
  for (const nlohmann::json& weights : told.index()) {
    const Architecture& architecture = *FindArchitecture(names.at(weights.at("net").get<std::string>()));
    const std::array<double, 3> mean = weights.at("mean"), std = weights.at("std");
    seen.insert(weights.at("net"));
    if (mean == architecture.statistics.mean && std == architecture.statistics.std) continue;
    exceptions.insert(std::string(architecture.name));
    EXPECT_THAT(std::string(architecture.other_statistics),
                HasSubstr(fmt::format("mean {} and std {}", fmt::join(mean, ","), fmt::join(std, ","))))
        << weights;
  }
  EXPECT_EQ(seen.size(), nets.size());
  for (const Architecture& architecture : Architectures())
    EXPECT_EQ(!architecture.other_statistics.empty(), exceptions.contains(std::string(architecture.name)))
        << architecture.name;
}

const TorchOutput& Lite() {
  static const TorchOutput output("zoo_nets.py", "SLIPWAY_TORCH_PYTHON", {"lite"});
  return output;
}

Checkpoint LiteWeights() { return ReadCheckpoint(MappedFile::Open(Lite().folder() / "net0.pth").value()).value(); }

TEST(ZooOptions, DefaultsAndWhatWeightsSay) {
  const auto built = BuildArchitecture("lite", LiteWeights(), {});
  ASSERT_TRUE(built.ok()) << built.status();
  EXPECT_EQ(ToString(*built->graph->inputs()[0]->shape), "[1, 3, 320, 320]");
  EXPECT_EQ(ToString(*built->graph->outputs()[0]->shape), "[1, 10]");
  EXPECT_TRUE(built->warnings.empty());
  Checkpoint fewer = LiteWeights();
  for (NamedTensor& named : fewer.tensors) {
    if (named.name == "state_dict.head.weight") named.tensor = Tensor::Allocate(DataType::kFloat32, {4, 256}).first;
    if (named.name == "state_dict.head.bias") named.tensor = Tensor::Allocate(DataType::kFloat32, {4}).first;
  }
  const auto four = BuildArchitecture("lite", fewer, {.input_size = 64, .classes = 4});
  ASSERT_TRUE(four.ok()) << four.status();
  EXPECT_EQ(ToString(*four->graph->inputs()[0]->shape), "[1, 3, 64, 64]");
  EXPECT_EQ(ToString(*four->graph->outputs()[0]->shape), "[1, 4]");
}

TEST(ZooOptions, TheSameWeightsFromNpz) {
  const auto npz = ReadCheckpoint(MappedFile::Open(Lite().folder() / "net0.npz").value());
  ASSERT_TRUE(npz.ok()) << npz.status();
  EXPECT_EQ(npz->format, "npz");
  const auto from_npz = BuildArchitecture("lite", *npz), from_torch = BuildArchitecture("lite", LiteWeights());
  ASSERT_TRUE(from_npz.ok() && from_torch.ok()) << from_npz.status();
  int weights = 0;
  for (const Value* value : (*from_torch)->values()) {
    if (!value->IsConstant()) continue;
    EXPECT_TRUE(value->constant->SameBytes(*(*from_npz)->Find(value->name)->constant)) << value->name;
    ++weights;
  }
  EXPECT_GE(weights, 47);
}

TEST(ZooOptions, WhatCannotBeIsAUsageError) {
  const auto refused = [](std::string_view name, const ArchitectureOptions& options, std::string_view why) {
    const auto built = BuildArchitecture(name, LiteWeights(), options);
    EXPECT_EQ(KindOf(built.status()), ErrorKind::kUsage) << why;
    EXPECT_THAT(Message(built.status()), HasSubstr(why));
  };
  refused("lite", {.classes = 11}, "the weights have 10 classes, not 11");
  refused("lite", {.input_size = 8}, "an input size of 8; lite takes 32 to 4096");
  refused("mtcnn-pnet", {.input_size = 64}, "mtcnn-pnet is no classifier");
}

TEST(ZooOptions, TheNearestLayoutNamesWhatIsWrong) {
  const auto built = BuildArchitecture("mobilenet_v2", LiteWeights(), {});
  EXPECT_EQ(built.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(built.status()), HasSubstr("the weights do not fit mobilenet_v2"));
}

TEST(ZooOptions, WeightsThatAlsoFitAnotherNetAreWarnedOf) {
  const TorchOutput ran("zoo_nets.py", "SLIPWAY_TORCH_PYTHON", {"timm/tf_mobilenetv3_small_100"});
  const auto built = BuildArchitecture("mobilenet_v3_small",
                                       ReadCheckpoint(MappedFile::Open(ran.folder() / "net0.pth").value()).value(), {});
  ASSERT_TRUE(built.ok()) << built.status();
  EXPECT_THAT(built->warnings,
              ElementsAre(::testing::AllOf(HasSubstr("taken for mobilenet_v3_small"),
                                           HasSubstr("tf_mobilenetv3_small_100"), HasSubstr("mean 0.5 and std 0.5"))));
}

}  // namespace
}  // namespace slipway
