// Built-in classifiers through the whole farm.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/client/command.h"
#include "tests/support/torch_fixture.h"

namespace slipway {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(ZooExport, MadeUpWeightsInAllFourFormats) {
  Sandbox box;
  const Ended ended = box.Run({"export", "lite", "small=mobilenet_v3_small", "--dummy", "--num-classes", "7",
                               "--input-size", "64", "--target", "all"});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  const std::string text = ReadAll(box.work() / "exports/manifest.json");
  EXPECT_THAT(SchemaErrors(text), IsEmpty()) << text;
  const json manifest = json::parse(text, nullptr, false);
  ASSERT_TRUE(manifest.is_object());
  EXPECT_THAT(manifest["reproduce"].get<std::string>(),
              HasSubstr("lite=lite small=mobilenet_v3_small --target coreml,ncnn,onnx,tflite --precision fp32 --dummy "
                        "--num-classes 7 --input-size 64"));
  ASSERT_EQ(manifest["models"].size(), 2u);
  for (const json& model : manifest["models"]) {
    EXPECT_EQ(model["source"]["kind"], "dummy");
    EXPECT_EQ(model["io_schema"]["inputs"][0]["shape"].get<std::vector<int>>(), (std::vector<int>{1, 3, 64, 64}));
    EXPECT_EQ(model["io_schema"]["outputs"][0]["shape"].get<std::vector<int>>(), (std::vector<int>{1, 7}));
    ASSERT_EQ(model["artifacts"].size(), 4u);
    for (const json& artifact : model["artifacts"]) EXPECT_EQ(artifact["status"], "passed") << artifact["reason"];
  }
}

TEST(ZooExport, WeightsThatAlsoFitAnotherNetAreWarnedOf) {
  const slipway::testing::TorchOutput ran("zoo_nets.py", "SLIPWAY_TORCH_PYTHON", {"timm/mobilenetv3_small_100"});
  Sandbox box;
  const Ended ended = box.Run({"export", "mobilenet_v3_small@" + (ran.folder() / "net0.pth").string(), "--num-classes",
                               "17", "--target", "onnx"});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("net0: warning: these weights are taken for mobilenet_v3_small"));
  const std::string text = ReadAll(box.work() / "exports/manifest.json");
  EXPECT_THAT(SchemaErrors(text), IsEmpty()) << text;
  const json manifest = json::parse(text, nullptr, false);
  const json& model = manifest["models"][0];
  EXPECT_THAT(model["warnings"].get<std::vector<std::string>>(), ElementsAre(HasSubstr("tf_mobilenetv3_small_100")));
  EXPECT_THAT(model["reference"].get<std::string>(), HasSubstr("timm"));
  EXPECT_EQ(model["artifacts"][0]["status"], "passed");
}

TEST(ZooExport, TheNumberOfClassesMustBeThatOfTheWeights) {
  const slipway::testing::TorchOutput ran("zoo_nets.py", "SLIPWAY_TORCH_PYTHON", {"lite"});
  Sandbox box;
  const Ended ended =
      box.Run({"export", "lite@" + (ran.folder() / "net0.npz").string(), "--num-classes", "11", "--target", "onnx"});
  EXPECT_EQ(ended.code, 2) << ended.out << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("net0.npz: the weights have 10 classes, not 11"));
  EXPECT_FALSE(std::filesystem::exists(box.work() / "exports"));
}

}  // namespace
}  // namespace slipway
