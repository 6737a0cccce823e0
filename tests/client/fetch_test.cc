// Requests that outlive their client: --detach, --on-interrupt detach, fetch, and what watch makes of them.
#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/time/clock.h"
#include "client/lib/farm_client.h"
#include "common/base/digest.h"
#include "common/base/error.h"
#include "common/base/random.h"
#include "common/queue/queue.h"
#include "common/store/store.h"
#include "common/task/task.h"
#include "tests/client/server.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class FetchTest : public ServerTest {
 protected:
  Ended Run(const std::vector<std::string>& arguments) { return box_.Run(arguments, environment_); }
  std::unique_ptr<Running> Start(const std::vector<std::string>& arguments) {
    return box_.Start(arguments, environment_);
  }
  // Submits the smallest model and leaves; its id.
  std::string Detached(std::vector<std::string> flags = {}) {
    flags.insert(flags.begin(), {"export", "lite", "--dummy", "--target", "onnx", "--detach"});
    const Ended ended = Run(flags);
    EXPECT_EQ(ended.code, 0) << ended.err;
    EXPECT_THAT(ended.out, testing::MatchesRegex("0-[0-9a-f]{32}\n"));
    return ended.out.substr(0, ended.out.find('\n'));
  }
  json Status(const std::string& request) { return json::parse(Run({"status", request, "--json"}).out); }
  // Path → hash; of the manifest the text, without the time at which it was written.
  std::map<std::string, std::string> Tree(const std::string& folder) {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(box_.work() / folder)) {
      if (entry.is_regular_file())
        files[fs::relative(entry.path(), box_.work() / folder).string()] = Digest::Of(ReadAll(entry.path())).Hex();
    }
    json manifest = json::parse(ReadAll(box_.work() / folder / "manifest.json"));
    manifest.erase("created");
    files["manifest.json"] = manifest.dump(1);
    return files;
  }

  const Environment environment_ = {{"SLIPWAY_SERVER", server()}};
};

// Results that went while their client stood still: said as what it is, in export as in fetch.
TEST_F(FetchTest, LostResultsAreSaidToBeLost) {
  Environment environment = environment_;
  environment.insert(
      {{"SLIPWAY_FAILPOINTS", "client.submitted=stop"}, {"SLIPWAY_FAILPOINT_LOG", (box_.work() / "hits").string()}});
  const auto client = box_.Start({"export", "lite", "--dummy", "--target", "onnx", "--no-verify"}, environment);
  ASSERT_TRUE(Eventually([&] { return fs::exists(box_.work() / "hits"); }));
  const std::string request = json::parse(Run({"list", "--json"}).out).value("request_id", "");
  EXPECT_EQ(Run({"watch", request}).code, 0);
  for (const auto& blob : fs::recursive_directory_iterator(box_.work() / "store/t")) {
    if (blob.is_regular_file() && ReadAll(blob.path()).find("slipway.result/") != std::string::npos)
      fs::remove(blob.path());
  }
  client->Signal(SIGCONT);
  const Ended exported = client->Wait();
  EXPECT_EQ(exported.code, 5);
  EXPECT_THAT(exported.err, HasSubstr("the farm has lost what it made of lite: "));
  EXPECT_THAT(exported.err, AllOf(HasSubstr("--fresh"), Not(HasSubstr("the farm works on"))));
  EXPECT_FALSE(fs::exists(box_.work() / "exports"));
  const Ended fetched = Run({"fetch", request});
  EXPECT_EQ(fetched.code, 5);
  EXPECT_FALSE(fs::exists(box_.work() / "exports"));
}

// The advice that helps is the first one given.
TEST_F(FetchTest, DamagedResultsAreSaidToBeLost) {
  ASSERT_EQ(Run({"export", "lite", "--dummy", "--target", "onnx", "--no-verify"}).code, 0);
  const std::string request = json::parse(Run({"list", "--json"}).out).value("request_id", "");
  for (const auto& blob : fs::recursive_directory_iterator(box_.work() / "store/t")) {
    if (blob.is_regular_file()) std::fstream(blob.path(), std::ios::in | std::ios::out).put('?');
  }
  for (int i = 0; i < 2; ++i) {
    const Ended fetched = Run({"fetch", request, "--out", "fetched"});
    EXPECT_EQ(fetched.code, 5);
    EXPECT_THAT(fetched.err, AllOf(HasSubstr("the farm has lost what it made of lite: "), HasSubstr("--fresh")));
  }
  EXPECT_EQ(Run({"export", "lite", "--dummy", "--target", "onnx", "--no-verify", "--fresh"}).code, 0);
}

// The farm cannot heal it; who has the model can.
TEST_F(FetchTest, AModelThatTheStoreLostIsUploadedByTheSameCommand) {
  box_.File("m.onnx", "no model");
  worker_->Signal(SIGSTOP);
  const auto exporting = Start({"export", "m.onnx", "--target", "onnx", "--no-verify"});
  ASSERT_TRUE(Eventually([&] { return !Run({"list", "--json"}).out.empty(); }));
  for (const auto& blob : fs::recursive_directory_iterator(box_.work() / "store/t")) {
    if (blob.is_regular_file() && ReadAll(blob.path()) == "no model") fs::remove(blob.path());
  }
  worker_->Signal(SIGCONT);
  const Ended lost = exporting->Wait();
  EXPECT_EQ(lost.code, 5) << lost.err;
  EXPECT_THAT(lost.err, HasSubstr("an input: blob "));
  const size_t said = lost.err.find("blob ") + 5;
  EXPECT_THAT(lost.err.substr(lost.err.find(' ', said)), StartsWith(" is not stored"));
  EXPECT_THAT(lost.err, HasSubstr("the same command makes the rest"));
  EXPECT_EQ(Run({"export", "m.onnx", "--target", "onnx", "--no-verify"}).code, 1) << "it is no model";
}

TEST_F(FetchTest, WritesWhatExportWrote) {
  box_.File("bad.onnx", "no model");
  const struct {
    std::vector<std::string> arguments;
    int code;
  } exports[] = {
      {{"eyes=mtcnn-pnet@" + Weights("pnet"), "bad.onnx", "--target", "onnx,ncnn", "--samples", "4"}, 4},
      {{"lite", "--dummy", "--num-classes", "7", "--target", "onnx", "--no-verify", "--preset", "classifier"}, 0},
      {{"mtcnn-pnet@" + Weights("pnet"), "--target", "ncnn", "--tolerance", "1e-12", "--opset", "15"}, 3}};
  for (const auto& [flags, code] : exports) {
    SCOPED_TRACE(testing::PrintToString(flags));
    std::vector<std::string> arguments = flags;
    arguments.insert(arguments.begin(), "export");
    fs::remove_all(box_.work() / "exports");
    const Ended exported = Run(arguments);
    ASSERT_EQ(exported.code, code) << exported.out << exported.err;
    const auto wanted = Tree("exports");
    const std::string request = json::parse(wanted.at("manifest.json"))["request_id"];

    fs::remove_all(box_.work() / "copy");
    const Ended fetched = Run({"fetch", request, "--out", "copy"});
    EXPECT_EQ(fetched.code, code) << fetched.out << fetched.err;
    EXPECT_EQ(Tree("copy"), wanted);
    EXPECT_EQ(Run({"verify", "copy"}).code, 0);
    EXPECT_EQ(Run({"watch", request}).code, code);  // the same exit code, also without parity
  }
}

TEST_F(FetchTest, WaitsForADetachedRequest) {
  worker_->Signal(SIGSTOP);  // nothing can end by itself
  const std::string request = Detached();
  EXPECT_FALSE(fs::exists(box_.work() / "exports"));
  const Ended early = Run({"fetch", request});
  EXPECT_EQ(early.code, 5);
  EXPECT_THAT(early.err, HasSubstr("has not ended: 2 of its 2 tasks are open; --wait waits"));
  EXPECT_FALSE(fs::exists(box_.work() / "exports"));

  const auto fetching = Start({"fetch", request, "--wait"});
  EXPECT_TRUE(Eventually([&] { return fetching->OutputSoFar().find(": 1 cell") != std::string::npos; }));
  worker_->Signal(SIGCONT);
  const Ended ended = fetching->Wait();
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_TRUE(fs::exists(box_.work() / "exports/lite/onnx-fp32/lite.onnx"));
  EXPECT_EQ(Run({"verify", "exports"}).code, 0);
}

TEST_F(FetchTest, DetachTellsPrograms) {
  const Ended ended = Run({"export", "lite", "--dummy", "--target", "onnx,ncnn", "--detach", "--json"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  const json event = json::parse(ended.out);
  EXPECT_EQ(event["event"], "detached");
  EXPECT_EQ(event["cells"], 2);
  EXPECT_EQ(Status(event["request_id"])["request_id"], event["request_id"]);
}

// Interrupting who only waits ends nothing.
TEST_F(FetchTest, AnInterruptedFetchLeavesTheRequest) {
  worker_->Signal(SIGSTOP);
  const std::string request = Detached();
  const auto fetching = Start({"fetch", request, "--wait"});
  EXPECT_TRUE(Eventually([&] { return fetching->OutputSoFar().find(": 1 cell") != std::string::npos; }));
  fetching->Signal(SIGINT);
  EXPECT_EQ(fetching->Wait().code, 130);
  EXPECT_FALSE(fs::exists(box_.work() / "exports"));
  EXPECT_EQ(Status(request)["state"], "active");
  worker_->Signal(SIGCONT);
}

TEST_F(FetchTest, OnInterruptDetachLeavesTheFarmWorking) {
  worker_->Signal(SIGSTOP);
  const auto client = Start({"export", "lite", "--dummy", "--target", "onnx", "--on-interrupt", "detach"});
  EXPECT_TRUE(Eventually([&] { return client->OutputSoFar().find(": 1 cell") != std::string::npos; }));
  client->Signal(SIGINT);
  const Ended left = client->Wait();
  EXPECT_EQ(left.code, 130);
  EXPECT_FALSE(fs::exists(box_.work() / "exports"));
  const std::string request = left.out.substr(8, left.out.find(':') - 8);
  EXPECT_THAT(left.err, HasSubstr("slipway fetch " + request));
  EXPECT_EQ(Status(request)["state"], "active");
  worker_->Signal(SIGCONT);
  EXPECT_EQ(Run({"fetch", request, "--wait"}).code, 0);
}

TEST_F(FetchTest, AWatchersPatienceIsItsOwn) {
  worker_->Signal(SIGSTOP);
  const std::string request = Detached();
  const Ended watched = Run({"watch", request, "--timeout", "0.1s"});
  EXPECT_EQ(watched.code, 130);
  EXPECT_THAT(watched.err, HasSubstr("the farm works on: `slipway watch " + request));
  EXPECT_EQ(Status(request)["state"], "active");
  worker_->Signal(SIGCONT);
}

// The farm keeps the deadline of a client that is gone.
TEST_F(FetchTest, ADetachedTimeoutIsTheFarms) {
  worker_->Signal(SIGSTOP);
  const std::string request = Detached({"--timeout", "0.5s"});
  EXPECT_EQ(Run({"watch", request}).code, 130);
  EXPECT_THAT(Status(request)["tasks"][0]["reason"].get<std::string>(), HasSubstr("timeout of 1 s"));
  EXPECT_EQ(Run({"fetch", request}).code, 130);
  EXPECT_THAT(ReadAll(box_.work() / "exports/manifest.json"), HasSubstr("timeout of 1 s"));
  worker_->Signal(SIGCONT);
}

TEST_F(FetchTest, WhatCannotBeFetched) {
  EXPECT_EQ(Run({"fetch", "0-00000000000000000000000000000000"}).code, 2);
  const auto farm = FarmClient::Connect(server(), absl::InfiniteFuture()).value();
  v1::SubmitRequest noop;
  noop.set_idempotency_key("noop");
  noop.add_models()->set_name("m");
  noop.mutable_models(0)->set_kind(v1::SOURCE_KIND_NOOP);
  noop.add_pairs()->set_target("onnx");
  noop.mutable_pairs(0)->set_precision("fp32");
  const Ended ended = Run({"fetch", farm->Submit(noop).value().request_id(), "--wait"});
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.err, HasSubstr("makes no files"));
  EXPECT_FALSE(fs::exists(box_.work() / "exports"));
}

// Also of a task that is not dead yet.
TEST_F(FetchTest, StatusTellsWhyAttemptsEnded) {
  const auto queue = ConnectQueue({.address = redis_.address()}).value();
  RequestSpec spec;
  spec.models = {{.name = "lite", .kind = "dummy", .architecture = "mlp", .files = {}}};
  spec.tasks = {{.kind = SpecTask::Kind::kCell, .model = 0, .target = "onnx", .precision = "fp32"}};
  const QueuedRequest request{.id = "0-" + RandomHex(16), .spec = spec.ToJson(), .tasks = {{.task_class = "nobody"}}};
  ASSERT_TRUE(queue->Submit(request).ok());
  for (const char* reason : {"no space left", "the model is damaged"}) {
    const auto task = queue->Lease({.worker = "w", .token = RandomHex(16), .classes = {"nobody"}}).value();
    ASSERT_TRUE(task.has_value());
    ASSERT_TRUE(queue->Return(*task, {.reason = reason}).ok());
  }
  const json reasons = Status(request.id)["tasks"][0]["attempt_reasons"];
  EXPECT_EQ(reasons, json({"attempt 1 on w: no space left", "attempt 2 on w: the model is damaged"}));
  const Ended shown = Run({"status", request.id});
  EXPECT_THAT(shown.out, HasSubstr("attempt 1 on w: no space left"));
  EXPECT_THAT(shown.out, HasSubstr("attempt 2 on w: the model is damaged"));
  EXPECT_TRUE(queue->Cancel(request.id).ok());
}

// The farm is not trusted with our disk: a spec that names files outside OUT is not followed.
TEST_F(FetchTest, AHostileSpecWritesNothing) {
  const auto store = OpenLocalStore({.root = box_.work() / "store"}).value();
  const auto queue = ConnectQueue({.address = redis_.address()}).value();
  for (const char* name : {"../outside", "..", ".hidden", "manifest.json", ""}) {
    SCOPED_TRACE(name);
    RequestSpec spec;
    spec.models = {{.name = name, .kind = "onnx", .architecture = "", .files = {}}};
    spec.tasks = {{.kind = SpecTask::Kind::kCell, .model = 0, .target = "onnx", .precision = "fp32"}};
    QueuedRequest request{.id = "0-" + RandomHex(16),
                          .request_digest = "d",
                          .spec = WriteBlob(*store, "default", spec.ToJson()).value().ToString(),
                          .tasks = {{.task_class = "nobody"}}};
    ASSERT_TRUE(queue->Submit(request).ok());
    ASSERT_TRUE(queue->Cancel(request.id).ok());
    const Ended ended = Run({"fetch", request.id});
    EXPECT_EQ(ended.code, 5) << ended.out << ended.err;
    EXPECT_THAT(ended.err, testing::ContainsRegex("names a model '|models.0..name"));
    EXPECT_FALSE(fs::exists(box_.work() / "exports"));
  }
}

}  // namespace
}  // namespace slipway
