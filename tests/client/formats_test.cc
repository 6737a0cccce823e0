// slipway formats: its outputs, and the page that it writes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "convert/capabilities/capabilities.h"
#include "tests/client/command.h"

namespace slipway {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(FormatsVerb, ShowsEveryTargetAndPrecision) {
  Sandbox box;
  const Ended shown = box.Run({"formats"});
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_THAT(shown.out, AllOf(HasSubstr(".mlpackage"), HasSubstr("opset 17"),
                               HasSubstr("litert (xnnpack, built-in kernels)"), HasSubstr("opsets 7 to 26")));
  const Ended events = box.Run({"formats", "--ops", "--json"});
  EXPECT_EQ(events.code, 0) << events.err;
  const auto json = nlohmann::json::parse(events.out);
  EXPECT_EQ(json["schema"], "slipway.formats/1");
  ASSERT_EQ(json["formats"].size(), Targets().size());
  for (size_t i = 0; i < Targets().size(); ++i) {
    EXPECT_EQ(json["formats"][i]["target"], std::string(Targets()[i].name));
    for (const std::string_view precision : Precisions()) {
      const nlohmann::json& made = json["formats"][i]["precisions"];
      EXPECT_EQ(std::find(made.begin(), made.end(), std::string(precision)) != made.end(),
                CanExport(Targets()[i].name, precision));
    }
  }
  for (const nlohmann::json& op : json["operators"]) {
    if (op["operator"] != "NonMaxSuppression") continue;
    EXPECT_THAT(op["forms"][0]["refusals"]["ncnn"].get<std::string>(), HasSubstr("NCNN has no layer for it"));
    EXPECT_TRUE(op["forms"][0]["refusals"]["onnx"].is_null());
  }
  EXPECT_TRUE(box.Leftovers().empty());
}

// To write it anew: build/bin/slipway formats --markdown > docs/operators.md
TEST(FormatsVerb, ThePageOfOperatorsIsCurrent) {
  Sandbox box;
  const Ended page = box.Run({"formats", "--markdown"});
  ASSERT_EQ(page.code, 0) << page.err;
  EXPECT_TRUE(page.out == ReadAll(std::filesystem::path(SLIPWAY_SOURCE_DIR) / "docs/operators.md"))
      << "docs/operators.md is not what the targets say: build/bin/slipway formats --markdown > docs/operators.md";
}

}  // namespace
}  // namespace slipway
