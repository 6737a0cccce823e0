// A named farm: the same export, and the verbs that only such a farm has.
#include "tests/client/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace slipway {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

TEST_F(ServerTest, ExportThenStatusAndWatch) {
  const Environment environment = {{"SLIPWAY_SERVER", server()},
                                   {"PATH", "/nonexistent"}};  // no redis-server needed here
  const Ended ended = box_.Run({"export", "mtcnn-pnet@" + Weights("pnet"), "--target", "onnx,ncnn"}, environment);
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  const std::string manifest = ReadAll(box_.work() / "exports/manifest.json");
  EXPECT_THAT(SchemaErrors(manifest), testing::IsEmpty());
  EXPECT_EQ(box_.Run({"verify", "exports"}).code, 0);
  const std::string request = json::parse(manifest)["request_id"];

  const Ended status = box_.Run({"status", request}, environment);
  EXPECT_EQ(status.code, 0) << status.err;
  EXPECT_THAT(status.out, HasSubstr("done"));
  EXPECT_THAT(status.out, HasSubstr("pnet   ncnn"));
  const json events = json::parse(box_.Run({"status", request, "--json"}, environment).out);
  EXPECT_EQ(events["counts"]["passed"], 3);  // with the preparation
  EXPECT_THAT(box_.Run({"status"}, environment).out, HasSubstr(request));

  const Ended watched = box_.Run({"watch", request}, environment);
  EXPECT_EQ(watched.code, 0) << watched.err;
  EXPECT_THAT(watched.out, HasSubstr("request " + request + ": 2 cells"));
  EXPECT_THAT(watched.out, HasSubstr("2 passed"));
  for (const char* verb : {"status", "watch"}) {
    const Ended unknown = box_.Run({verb, "0-00000000000000000000000000000000"}, environment);
    EXPECT_EQ(unknown.code, 2) << unknown.out << unknown.err;
  }
}

// Newest first; a limit says that there is more.
TEST_F(ServerTest, ListsNewestFirst) {
  const Environment environment = {{"SLIPWAY_SERVER", server()}};
  std::vector<std::string> requests;
  for (const char* name : {"first", "second", "third"}) {
    const Ended ended =
        box_.Run({"export", std::string(name) + "=lite", "--dummy", "--target", "onnx", "--no-verify", "--out", name},
                 environment);
    ASSERT_EQ(ended.code, 0) << ended.out << ended.err;
    requests.push_back(json::parse(ReadAll(box_.work() / name / "manifest.json"))["request_id"]);
  }
  const auto listed = [&](const std::vector<std::string>& arguments) {
    const Ended ended = box_.Run(arguments, environment);
    EXPECT_EQ(ended.code, 0) << ended.err;
    std::vector<std::string> ids;
    std::istringstream lines(ended.out);
    for (std::string line; std::getline(lines, line);) ids.push_back(json::parse(line)["request_id"]);
    return ids;
  };
  EXPECT_THAT(listed({"list", "--json"}), testing::ElementsAre(requests[2], requests[1], requests[0]));
  EXPECT_THAT(listed({"status", "--json", "--limit", "1"}), testing::ElementsAre(requests[2]));
  const Ended two = box_.Run({"list", "--limit", "2"}, environment);
  EXPECT_THAT(two.out, testing::AllOf(HasSubstr(requests[2]), HasSubstr(requests[1]), HasSubstr("done")));
  EXPECT_THAT(two.out, testing::Not(HasSubstr(requests[0])));
  EXPECT_THAT(two.err, HasSubstr("older requests"));
  EXPECT_THAT(box_.Run({"list", "--limit", "3"}, environment).err, testing::IsEmpty());
}

// An unknown request in the middle keeps none of the others running.
TEST_F(ServerTest, CancelsEveryRequestThatIsNamed) {
  const Environment environment = {{"SLIPWAY_SERVER", server()}};
  worker_->Signal(SIGSTOP);  // nothing can end by itself
  std::vector<std::unique_ptr<Running>> exports;
  std::vector<std::string> requests;
  for (const char* name : {"a", "b"}) {
    exports.push_back(
        box_.Start({"export", std::string(name) + "=lite", "--dummy", "--target", "onnx", "--out", name}, environment));
    ASSERT_TRUE(Eventually([&] { return exports.back()->OutputSoFar().find(": 1 cell") != std::string::npos; }));
    const std::string line = exports.back()->OutputSoFar();
    requests.push_back(line.substr(8, line.find(':') - 8));
  }
  const Ended ended =
      box_.Run({"cancel", requests[0], "0-00000000000000000000000000000000", requests[1], "--json"}, environment);
  EXPECT_EQ(ended.code, 2) << ended.out;
  EXPECT_THAT(ended.err, HasSubstr("there is no request \"0-00000000000000000000000000000000\""));
  std::istringstream lines(ended.out);
  std::vector<std::string> cancelled;
  for (std::string line; std::getline(lines, line);) {
    const json info = json::parse(line);
    EXPECT_EQ(info["state"], "cancelled") << line;
    cancelled.push_back(info["request_id"]);
  }
  EXPECT_EQ(cancelled, requests);
  worker_->Signal(SIGCONT);
  for (const auto& running : exports) EXPECT_EQ(running->Wait().code, 130);
}

// A retried request is open again; only an ended one is forgotten.
TEST_F(ServerTest, RetriesAndDeletes) {
  const Environment environment = {{"SLIPWAY_SERVER", server()}};
  box_.File("bad.onnx", "no model");
  ASSERT_EQ(box_.Run({"export", "bad.onnx", "--target", "onnx"}, environment).code, 1);
  const std::string request = json::parse(ReadAll(box_.work() / "exports/manifest.json"))["request_id"];
  const std::string unknown = "0-00000000000000000000000000000000";

  worker_->Signal(SIGSTOP);  // what is open stays open
  const Ended retried = box_.Run({"retry", unknown, request, "--json"}, environment);
  EXPECT_EQ(retried.code, 2);
  EXPECT_THAT(retried.err, HasSubstr(unknown));
  const json info = json::parse(retried.out);
  EXPECT_EQ(info["opened"], 2);  // the preparation and its cell
  EXPECT_EQ(info["state"], "active");
  EXPECT_EQ(info["open"], 2);
  const Ended refused = box_.Run({"delete", request}, environment);
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("has not ended"));
  worker_->Signal(SIGCONT);

  EXPECT_EQ(box_.Run({"watch", request}, environment).code, 1);
  const Ended deleted = box_.Run({"delete", request}, environment);
  EXPECT_EQ(deleted.code, 0) << deleted.err;
  EXPECT_THAT(deleted.out, HasSubstr(request));
  EXPECT_EQ(box_.Run({"status", request}, environment).code, 2);
  EXPECT_THAT(box_.Run({"list", "--json"}, environment).out, testing::IsEmpty());
}

TEST_F(ServerTest, ShowsWorkers) {
  const Environment environment = {{"SLIPWAY_SERVER", server()}};
  const json worker = json::parse(box_.Run({"workers", "--json"}, environment).out);
  EXPECT_EQ(worker["slots"], 2);
  EXPECT_EQ(worker["busy"], 0);
  EXPECT_FALSE(worker["classes"].empty());
  EXPECT_THAT(worker["last_seen"].get<std::string>(), testing::MatchesRegex("20[0-9T:-]+Z"));
  const Ended table = box_.Run({"workers"}, environment);
  EXPECT_EQ(table.code, 0) << table.err;
  for (const char* field : {"id", "host", "version", "slots"}) {
    EXPECT_THAT(table.out, HasSubstr(field));
    const std::string value = worker[field].is_string() ? worker[field].get<std::string>() : worker[field].dump();
    EXPECT_THAT(table.out, HasSubstr(value));
  }
}

// The farm has the blobs and the same bytes come back.
TEST_F(ServerTest, SameBytesAsTheEmbeddedFarm) {
  const std::string model = "mtcnn-rnet@" + Weights("rnet");
  ASSERT_EQ(box_.Run({"export", model, "--target", "onnx,ncnn", "--out", "far"}, {{"SLIPWAY_SERVER", server()}}).code,
            0);
  ASSERT_EQ(box_.Run({"export", model, "--target", "onnx,ncnn", "--out", "near"}).code, 0);
  const json far = json::parse(ReadAll(box_.work() / "far/manifest.json")),
             near = json::parse(ReadAll(box_.work() / "near/manifest.json"));
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(far["models"][0]["artifacts"][i]["files"], near["models"][0]["artifacts"][i]["files"]);
  }
}

class DoctorTest : public testing::Test {
 protected:
  Sandbox box_;
};

TEST_F(DoctorTest, FindsWhatIsThereAndMendsWhatIsNot) {
  const Ended good = box_.Run({"doctor"});
  EXPECT_EQ(good.code, 0) << good.out;
  for (const char* subject : {"redis-server", "onnxruntime", "litert", "ncnn", "seccomp", "landlock"}) {
    EXPECT_THAT(good.out, testing::ContainsRegex(std::string("ok +") + subject)) << good.out;
  }
  const Ended bare = box_.Run({"doctor", "--python", "/usr/bin/false", "--json"}, {{"PATH", "/nonexistent"}});
  EXPECT_EQ(bare.code, 5);
  std::istringstream lines(bare.out);
  int mending = 0;
  for (std::string line; std::getline(lines, line);) mending += json::parse(line)["ok"].get<bool>() ? 0 : 1;
  EXPECT_EQ(mending, 4);  // redis-server and three runtimes
  EXPECT_THAT(bare.out, HasSubstr("apt-get install redis-server"));
}

}  // namespace
}  // namespace slipway
