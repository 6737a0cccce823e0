// Equal exports on one farm: made once, for everybody who waits.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/client/server.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class ShareTest : public ServerTest {
 protected:
  static std::vector<std::string> Export(const std::string& out, const std::vector<std::string>& flags = {}) {
    std::vector<std::string> arguments = {"export", "lite", "--dummy", "--target", "onnx,ncnn", "--out", out};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return arguments;
  }
  Ended Run(const std::vector<std::string>& arguments) { return box_.Run(arguments, environment_); }
  // Runs until the farm has its request.
  std::unique_ptr<Running> Start(const std::vector<std::string>& arguments) {
    auto client = box_.Start(arguments, environment_);
    EXPECT_TRUE(Eventually([&] { return client->OutputSoFar().find(": 2 cells") != std::string::npos; }));
    return client;
  }
  static std::string RequestOf(const std::string& output) { return output.substr(8, output.find(':') - 8); }
  json Manifest(const std::string& out) { return json::parse(ReadAll(box_.work() / out / "manifest.json")); }
  size_t Requests() {
    const std::string lines = Run({"list", "--json"}).out;
    return static_cast<size_t>(std::count(lines.begin(), lines.end(), '\n'));
  }

  const Environment environment_ = {{"SLIPWAY_SERVER", server()}};
};

TEST_F(ShareTest, OneWhoLeavesEndsNobodyElsesExport) {
  worker_->Signal(SIGSTOP);  // nothing can end by itself
  const auto first = Start(Export("a")), second = Start(Export("b"));
  const std::string request = RequestOf(first->OutputSoFar());
  EXPECT_EQ(RequestOf(second->OutputSoFar()), request);
  EXPECT_THAT(first->ErrorsSoFar(), Not(HasSubstr("has this request already")));
  EXPECT_THAT(second->ErrorsSoFar(), HasSubstr("the farm has this request already, " + request));
  EXPECT_EQ(json::parse(Run({"status", request, "--json"}).out)["waiters"], 2);

  first->Signal(SIGINT);
  const Ended left = first->Wait();
  EXPECT_EQ(left.code, 130);
  EXPECT_THAT(left.err, HasSubstr("others wait for the request"));
  for (const json& artifact : Manifest("a")["models"][0]["artifacts"]) EXPECT_EQ(artifact["status"], "cancelled");
  const json info = json::parse(Run({"status", request, "--json"}).out);
  EXPECT_EQ(info["state"], "active");
  EXPECT_EQ(info["waiters"], 1);

  worker_->Signal(SIGCONT);
  const Ended stayed = second->Wait();
  EXPECT_EQ(stayed.code, 0) << stayed.out << stayed.err;
  EXPECT_EQ(Run({"verify", "b"}).code, 0);
  EXPECT_EQ(Requests(), 1u);
}

TEST_F(ShareTest, WhatHasPassedIsNotMadeAgain) {
  ASSERT_EQ(Run(Export("a")).code, 0);
  const Ended again = Run(Export("b"));
  EXPECT_EQ(again.code, 0) << again.out << again.err;
  EXPECT_THAT(again.err, HasSubstr("has this request already"));
  EXPECT_EQ(Manifest("b")["request_id"], Manifest("a")["request_id"]);
  EXPECT_EQ(Manifest("b")["models"], Manifest("a")["models"]);
  EXPECT_EQ(Run({"verify", "b"}).code, 0);
  EXPECT_EQ(Requests(), 1u);

  EXPECT_EQ(Run(Export("c", {"--fresh"})).code, 0);
  EXPECT_NE(Manifest("c")["request_id"], Manifest("a")["request_id"]);
  EXPECT_EQ(Run(Export("d", {"--samples", "4"})).code, 0);  // not equal
  EXPECT_EQ(Requests(), 3u);
}

TEST_F(ShareTest, CancellingForAllIsSaidSo) {
  worker_->Signal(SIGSTOP);
  const std::string request = Run(Export("a", {"--detach"})).out.substr(0, 34);
  EXPECT_EQ(Run(Export("a", {"--detach"})).out.substr(0, 34), request);
  const Ended refused = Run({"cancel", request});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("2 wait for request " + request));
  const Ended cancelled = Run({"cancel", request, "--for-all", "--json"});
  EXPECT_EQ(cancelled.code, 0) << cancelled.err;
  EXPECT_EQ(json::parse(cancelled.out)["state"], "cancelled");
  worker_->Signal(SIGCONT);
}

}  // namespace
}  // namespace slipway
