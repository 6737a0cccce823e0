// slipway inspect: exit codes and output of the verb.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/client/command.h"

namespace slipway {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(InspectVerb, CheckpointIsShownAndCanBeConverted) {
  Sandbox box;
  const Ended ended = box.Run({"inspect", Weights("pnet"), "--for", "onnx,ncnn", "--json"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  const auto shown = nlohmann::json::parse(ended.out);
  EXPECT_EQ(shown["schema"], "slipway.inspect/1");
  EXPECT_EQ(shown["fits"], nlohmann::json({"mtcnn-pnet"}));
  EXPECT_EQ(shown["weights"][0]["elements"], 6632);  // facenet-pytorch's P-Net
  EXPECT_EQ(shown["targets"]["ncnn"]["convertible"], true);
  EXPECT_TRUE(box.Leftovers().empty());
}

TEST(InspectVerb, ExitCodesSayWhoseFaultItIs) {
  Sandbox box;
  EXPECT_EQ(box.Run({"inspect", "missing.onnx"}).code, 2);
  EXPECT_EQ(box.Run({"inspect", Weights("pnet"), "--for", "nothing"}).code, 2);
  box.File("bad.onnx", "this is no model");
  const Ended bad = box.Run({"inspect", "bad.onnx"});
  EXPECT_EQ(bad.code, 1);
  EXPECT_THAT(bad.err, AllOf(HasSubstr("bad.onnx"), HasSubstr("not a readable ONNX model")));
}

}  // namespace
}  // namespace slipway
