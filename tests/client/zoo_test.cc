// Built-in classifiers through the whole farm.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/client/command.h"

namespace slipway {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

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

}  // namespace
}  // namespace slipway
