// What a line of the log looks like.
#include "common/base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

namespace slipway {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

class LogTest : public testing::Test {
 protected:
  ~LogTest() override { InitLogging("common_test"); }
  static std::string Written(const std::function<void()>& log) {
    testing::internal::CaptureStderr();
    log();
    return testing::internal::GetCapturedStderr();
  }
};

TEST_F(LogTest, TextHasFieldsBehindTheEvent) {
  InitLogging("herd", "info", "text");
  const std::string line = Written([] { LogInfo("sheep counted", {{"count", "3"}, {"why", "asleep \"now\"\nhere"}}); });
  EXPECT_THAT(line, MatchesRegex("[-0-9]+T[:.0-9]+Z info herd\\[[0-9]+\\] sheep counted count=3 "
                                 "why=\"asleep \\\\\"now\\\\\" here\"\n"));
}

TEST_F(LogTest, JsonIsOneObjectALine) {
  InitLogging("herd", "info", "json");
  const std::string line = Written([] { LogWarning("a \"wolf\"", {{"where", "hill\n\xff"}}); });
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  const nlohmann::json record = nlohmann::json::parse(line);
  EXPECT_EQ(record["event"], "a \"wolf\"");
  EXPECT_EQ(record["level"], "warning");
  EXPECT_EQ(record["process"], "herd");
  EXPECT_EQ(record["pid"], getpid());
  EXPECT_THAT(record["time"].get<std::string>(), MatchesRegex("[-0-9]+T[:.0-9]+Z"));
  EXPECT_THAT(record["where"].get<std::string>(), HasSubstr("hill\n"));
}

// What the work is about stands in every line of its thread, in no other's, and not after it.
TEST_F(LogTest, ScopesNestAndAreTheirThreads) {
  InitLogging("herd", "info", "text");
  const std::string lines = Written([] {
    {
      const LogScope request({{"request", "0-ab"}});
      {
        const LogScope task({{"task", "7"}});
        LogInfo("inner", {{"step", "x"}});
        std::jthread([] { LogInfo("stranger"); });
      }
      LogInfo("outer");
    }
    LogInfo("after");
  });
  EXPECT_THAT(lines, HasSubstr("inner request=0-ab task=7 step=x\n"));
  EXPECT_THAT(lines, HasSubstr("stranger\n"));
  EXPECT_THAT(lines, HasSubstr("outer request=0-ab\n"));
  EXPECT_THAT(lines, HasSubstr("after\n"));
}

}  // namespace
}  // namespace slipway
