#include "convert/capabilities/capabilities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "convert/targets/convert.h"

namespace slipway {
namespace {

using ::testing::HasSubstr;

TEST(Capabilities, EveryTargetHasAnImplementationOfItsName) {
  EXPECT_EQ(Targets().size(), 4u);
  for (const TargetInfo& info : Targets()) {
    const Target* target = FindTargetByName(info.name);
    ASSERT_NE(target, nullptr) << info.name;
    EXPECT_EQ(target->name(), info.name);
    EXPECT_TRUE(CanExport(info.name, "fp32"));
    EXPECT_EQ(FindTarget(info.name), &info);
    EXPECT_TRUE(info.main_file.starts_with("{model}."));
  }
  EXPECT_EQ(FindTargetByName("coreml-nn"), nullptr);
  EXPECT_EQ(FindTarget("coreml-nn"), nullptr);
}

TEST(Capabilities, RefusalsSayWhatWouldDo) {
  std::string reason;
  EXPECT_FALSE(CanExport("tflite", "fp16", &reason));
  EXPECT_EQ(reason, "tflite cannot be made at fp16 by this version; it can at fp32");
  EXPECT_FALSE(CanExport("tflight", "fp32", &reason));
  EXPECT_THAT(reason, HasSubstr("'tflight'; targets are onnx, tflite, coreml, ncnn"));
  EXPECT_FALSE(CanExport("onnx", "fp8", &reason));
  EXPECT_THAT(reason, HasSubstr("'fp8'; precisions are fp32, fp16, int8"));
  EXPECT_FALSE(CanExport("onnx", "int8", nullptr));
}

}  // namespace
}  // namespace slipway
