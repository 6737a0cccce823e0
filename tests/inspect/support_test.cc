// What `slipway formats` shows: the samples are models that ONNX itself accepts, and the answers are those of the targets.
#include "convert/inspect/support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "common/base/file.h"
#include "convert/import/onnx/onnx_import.h"
#include "convert/inspect/op_samples.h"
#include "tests/support/torch_fixture.h"

namespace slipway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

TEST(OpSamples, AreValidModels) {
  auto folder = TemporaryFolder::Create("/tmp", "slipway-samples-");
  ASSERT_TRUE(folder.ok());
  std::vector<std::string> files;
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const inspect::OpSample& sample : inspect::OpSamples()) {
    EXPECT_TRUE(seen.emplace(sample.op, sample.label).second) << sample.op << " " << sample.label << " twice";
    const auto model = inspect::SampleModel(sample);
    ASSERT_TRUE(model.ok()) << model.status();
    files.push_back(
        (folder->path() / (std::to_string(files.size()) + "-" + std::string(sample.op) + ".onnx")).string());
    std::ofstream(files.back(), std::ios::binary) << *model;
  }
  const testing::TorchOutput checked("check_onnx.py", "SLIPWAY_PYTHON", files);
  EXPECT_EQ(checked.index()["invalid"].dump(2), "{}");
}

TEST(Support, EveryOperatorIsAskedAndAnsweredByTheTargets) {
  const auto operators = AskOperators();
  ASSERT_TRUE(operators.ok()) << operators.status();
  std::map<std::string, const OpSupport*> by_name;
  for (const OpSupport& op : *operators) by_name[op.op] = &op;
  for (const std::string& op : ImportedOnnxOps()) EXPECT_TRUE(by_name.contains(op)) << op;
  // What any of the formats can say.
  for (const char* op : {"Relu", "Add", "GlobalAveragePool", "Softmax"})
    EXPECT_TRUE(by_name[op]->forms[0].refusals.empty()) << op;
  // NCNN has no such layer, and a blob of six axes does not exist.
  const OpForm& suppression = by_name["NonMaxSuppression"]->forms.at(0);
  EXPECT_THAT(suppression.refusals.at("ncnn"), HasSubstr("NCNN"));
  EXPECT_FALSE(suppression.refusals.contains("onnx"));
  const OpSupport& transpose = *by_name["Transpose"];
  ASSERT_EQ(transpose.forms.size(), 2u);
  EXPECT_FALSE(transpose.forms[0].refusals.contains("ncnn"));
  EXPECT_TRUE(transpose.forms[1].refusals.contains("ncnn"));
}

TEST(Support, FormatsAreAskedByConverting) {
  const auto formats = AskFormats();
  ASSERT_TRUE(formats.ok()) << formats.status();
  std::map<std::string, FormatSupport> by_name;
  for (const FormatSupport& format : *formats) by_name[format.target] = format;
  EXPECT_THAT(by_name["onnx"].files, ElementsAre(".onnx"));
  EXPECT_THAT(by_name["tflite"].files, ElementsAre(".tflite"));
  EXPECT_THAT(by_name["coreml"].files, ElementsAre(".mlpackage"));
  EXPECT_THAT(by_name["ncnn"].files, ElementsAre(".param", ".bin"));
  EXPECT_THAT(by_name["onnx"].facts, ::testing::Contains(Pair("opset", "17")));
  EXPECT_THAT(by_name["coreml"].facts, ::testing::Contains(Pair("specification version", "6")));  // iOS 15's
  EXPECT_THAT(by_name["ncnn"].facts, IsEmpty());
  EXPECT_TRUE(by_name["tflite"].dynamic_batch && by_name["tflite"].dynamic_image);
  EXPECT_FALSE(by_name["ncnn"].dynamic_batch);  // its blobs have none
  EXPECT_TRUE(by_name["ncnn"].dynamic_image);
  EXPECT_THAT(by_name["coreml"].types, ::testing::Contains(Pair("int64", std::optional<std::string>("int32"))));
  EXPECT_THAT(by_name["ncnn"].types, ::testing::Contains(Pair("float64", std::optional<std::string>("float32"))));
}

}  // namespace
}  // namespace slipway
