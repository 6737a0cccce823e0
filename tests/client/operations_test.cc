// A real farm as its operators see it: metrics over HTTP, logs, `slipway top`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/client/command.h"
#include "tests/support/redis.h"
#include "tests/support/scrape.h"

namespace slipway {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

// Records of a daemon's JSON log; a line that is none is a failure.
std::vector<json> Records(const Running& daemon) {
  std::vector<json> records;
  const std::string log = daemon.ErrorsSoFar();
  std::istringstream lines(log.substr(0, log.rfind('\n') + 1));
  for (std::string line; std::getline(lines, line);) {
    records.push_back(json::parse(line, nullptr, false));
    EXPECT_TRUE(records.back().is_object()) << line;
  }
  return records;
}

std::string Field(const Running& daemon, const std::string& event, const std::string& field) {
  for (const json& record : Records(daemon)) {
    if (record.value("event", "") == event) return record.value(field, "");
  }
  return "";
}

class OperationsTest : public testing::Test {
 protected:
  OperationsTest() {
    const std::string bin = SLIPWAY_BIN_DIR;
    const std::string store = (box_.work() / "store").string();
    const std::vector<std::string> common = {
        "--redis",     redis_.address(), "--store", store,          "--metrics-listen",
        "127.0.0.1:0", "--log-level",    "debug",   "--log-format", "json"};
    std::vector<std::string> arguments = common;
    arguments.insert(arguments.end(), {"--listen", server()});
    coordinator_ = box_.StartProgram(bin + "/slipway-coordinator", arguments);
    arguments = common;
    arguments.insert(arguments.end(), {"--slots", "2", "--lease", "2"});
    worker_ = box_.StartProgram(bin + "/slipway-worker", arguments);
    EXPECT_TRUE(Eventually([&] {
      return box_.Run({"doctor", "--server", server()}).out.find("1 worker") != std::string::npos;
    }));
  }
  std::string server() const { return "unix:" + (box_.work() / "api.sock").string(); }
  static Scrape ScrapeOf(const Running& daemon) { return ScrapeMetrics(Field(daemon, "metrics", "address")); }
  Ended Slipway(const std::vector<std::string>& arguments) {
    return box_.Run(arguments, {{"SLIPWAY_SERVER", server()}});
  }

  RedisServer redis_;
  Sandbox box_;
  std::unique_ptr<Running> coordinator_, worker_;
};

TEST_F(OperationsTest, CountersRiseByWhatWasDone) {
  const Scrape before = ScrapeOf(*coordinator_);
  EXPECT_EQ(before["slipway_requests_submitted_total{outcome=\"new\"}"], 0);
  EXPECT_EQ(ScrapeOf(*worker_)["slipway_worker_slots{state=\"total\"}"], 2);
  const std::string weights = Weights("pnet");
  ASSERT_EQ(Slipway({"export", "mtcnn-pnet@" + weights, "--target", "onnx"}).code, 0);
  EXPECT_EQ(Slipway({"status", "0-00000000000000000000000000000000"}).code, 2);

  const Scrape coordinator = ScrapeOf(*coordinator_);
  EXPECT_EQ(coordinator["slipway_requests_submitted_total{outcome=\"new\"}"], 1);
  EXPECT_EQ(coordinator["slipway_tasks_submitted_total"], 2);
  EXPECT_EQ(coordinator["slipway_grpc_calls_total{method=\"ExportService/Submit\",code=\"OK\"}"], 1);
  EXPECT_EQ(coordinator["slipway_grpc_call_seconds_count{method=\"ExportService/Submit\"}"], 1);
  EXPECT_EQ(coordinator["slipway_grpc_calls_total{method=\"ExportService/Get\",code=\"NOT_FOUND\"}"], 1);
  EXPECT_EQ(coordinator["slipway_grpc_calls_total{method=\"ExportService/Watch\",code=\"OK\"}"], 1);
  EXPECT_EQ(coordinator["slipway_blob_received_bytes_total"], std::filesystem::file_size(weights));
  EXPECT_GE(coordinator["slipway_blob_sent_bytes_total"],
            std::filesystem::file_size(box_.work() / "exports/pnet/onnx-fp32/pnet.onnx"));
  EXPECT_EQ(coordinator["slipway_watchers"], 0);
  EXPECT_EQ(coordinator["slipway_queue_up"], 1);
  EXPECT_EQ(coordinator["slipway_queue_open_tasks"], 0);
  EXPECT_EQ(coordinator["slipway_queue_slots{state=\"total\"}"], 2);
  EXPECT_EQ(coordinator["slipway_queue_class_slots{class=\"litert\"}"], 2);
  EXPECT_EQ(coordinator.Sum("slipway_queue_workers"), 1);
  EXPECT_EQ(coordinator["slipway_redis_call_seconds_count{call=\"submit\"}"], 1);
  EXPECT_GT(coordinator["slipway_maintenance_rounds_total{outcome=\"ok\"}"], 0);

  const Scrape worker = ScrapeOf(*worker_);
  EXPECT_EQ(worker["slipway_worker_tasks_total{target=\"prepare\",precision=\"\",state=\"passed\"}"], 1) << worker.body;
  EXPECT_EQ(worker["slipway_worker_tasks_total{target=\"onnx\",precision=\"fp32\",state=\"passed\"}"], 1);
  EXPECT_EQ(worker["slipway_worker_commits_total{outcome=\"committed\"}"], 2);
  for (const char* phase : {"fetch", "import", "store", "commit"})
    EXPECT_EQ(worker["slipway_worker_phase_seconds_count{phase=\"" + std::string(phase) + "\"}"], 2) << phase;
  for (const char* phase : {"convert", "judge", "reference"})
    EXPECT_EQ(worker["slipway_worker_phase_seconds_count{phase=\"" + std::string(phase) + "\"}"], 1) << phase;
  EXPECT_EQ(worker.Sum("slipway_worker_task_seconds_count"), 2);
  EXPECT_EQ(worker["slipway_worker_slots{state=\"busy\"}"], 0);
  EXPECT_EQ(worker["slipway_worker_classes{class=\"ncnn\"}"], 1);
  EXPECT_GE(worker["slipway_worker_task_memory_bytes"], uint64_t{2} << 30);
  EXPECT_GE(worker["slipway_worker_judge_starts_total{runtime=\"onnxruntime\"}"], 1);
  EXPECT_EQ(worker.Sum("slipway_worker_child_ends_total"), 0);
  EXPECT_EQ(worker["slipway_worker_leases_lost_total"], 0);

  for (const auto& [series, value] : worker.samples) EXPECT_EQ(series.find("0-"), std::string::npos) << series;
}

// Every line about a task names it, whoever writes it.
TEST_F(OperationsTest, LogsNameTheRequestAndTheTask) {
  ASSERT_EQ(Slipway({"export", "lite", "--dummy", "--target", "onnx", "--no-verify"}).code, 0);
  const std::string request = json::parse(ReadAll(box_.work() / "exports/manifest.json"))["request_id"];
  EXPECT_EQ(Field(*coordinator_, "submitted", "request"), request);
  // A line is written after what it tells, and by another slot than the next task's: only a task's own lines have an order.
  std::vector<std::string> told;
  EXPECT_TRUE(Eventually([&] {
    told.clear();
    for (const json& record : Records(*worker_)) {
      const std::string event = record.value("event", "");
      if (event != "leased" && event != "committed") continue;
      EXPECT_EQ(record.value("request", ""), request) << record;
      told.push_back(record.value("task", "") + " " + event);
    }
    return told.size() >= 4;
  }));
  std::ranges::stable_sort(told, {}, [](const std::string& line) { return line.front(); });
  EXPECT_THAT(told, testing::ElementsAre("0 leased", "0 committed", "1 leased", "1 committed"));
}

TEST_F(OperationsTest, TopShowsWhatWaits) {
  worker_->Signal(SIGSTOP);  // what waits goes on waiting
  ASSERT_EQ(Slipway({"export", "lite", "--dummy", "--target", "onnx", "--detach"}).code, 0);
  ASSERT_EQ(Slipway({"export", "lite", "--dummy", "--target", "onnx,ncnn", "--samples", "3", "--detach"}).code, 0);

  const Ended once = Slipway({"top", "--once", "--json"});
  ASSERT_EQ(once.code, 0) << once.err;
  const json look = json::parse(once.out);
  EXPECT_EQ(look["queue"]["open"], 5);
  EXPECT_EQ(look["queue"]["ready"].get<int>() + look["queue"]["running"].get<int>(), 2);
  EXPECT_EQ(look["queue"]["blocked"], 3);
  ASSERT_EQ(look["workers"].size(), 1u);
  EXPECT_EQ(look["workers"][0]["slots"], 2);
  EXPECT_GT(look["workers"][0]["memory_bytes"], 1'000'000);
  ASSERT_EQ(look["requests"].size(), 2u);
  EXPECT_EQ(look["requests"][0]["open"], 2);  // the oldest first
  EXPECT_EQ(look["more_requests"], 0);
  EXPECT_EQ(ScrapeOf(*coordinator_)["slipway_queue_open_tasks"], 5);

  const std::string request = look["requests"][0]["request_id"];
  const Ended page = Slipway({"top", "--once"});
  EXPECT_THAT(page.out, AllOf(HasSubstr("1 worker, "), HasSubstr("5 open"), HasSubstr("3 blocked"), HasSubstr(request),
                              HasSubstr(look["workers"][0]["id"].get<std::string>())));
  EXPECT_THAT(page.out, testing::Not(HasSubstr("\x1b")));
  EXPECT_THAT(page.out, testing::Not(HasSubstr("more, newer")));
  const Ended short_page = Slipway({"top", "--once", "--limit", "1"});
  EXPECT_THAT(short_page.out, AllOf(HasSubstr(request), HasSubstr("and 1 more, newer")));
  worker_->Signal(SIGCONT);
  EXPECT_EQ(Slipway({"watch", request}).code, 0);
}

// A line a look where nobody can redraw, a page on a terminal; Ctrl-C ends both well.
TEST_F(OperationsTest, TopGoesOnUntilItIsInterrupted) {
  const auto lines = box_.Start({"top", "--every", "1s", "--server", server()});
  ASSERT_TRUE(Eventually([&] {
    const std::string out = lines->OutputSoFar();
    return std::count(out.begin(), out.end(), '\n') >= 2;
  }));
  lines->Signal(SIGINT);
  const Ended ended = lines->Wait();
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, testing::StartsWith("20"));
  EXPECT_THAT(ended.out, HasSubstr("queue: 0 open"));
  const Ended page = box_.RunOnTerminal({"top", "--once", "--server", server()});
  EXPECT_EQ(page.code, 0);
  EXPECT_THAT(page.out, AllOf(HasSubstr("memory"), HasSubstr("0 of 2 slots busy")));
  EXPECT_EQ(box_.Run({"top", "--once"}).code, 2);  // which farm?
}

// A dead Redis is a figure, not a hole in the graph.
TEST_F(OperationsTest, ScrapesGoOnWithoutRedis) {
  ASSERT_EQ(ScrapeOf(*coordinator_)["slipway_queue_up"], 1);
  redis_.Kill9();
  const Scrape scrape = ScrapeOf(*coordinator_);
  EXPECT_EQ(scrape.samples.count("slipway_queue_up"), 1u);
  EXPECT_EQ(scrape["slipway_queue_up"], 0);
  EXPECT_EQ(scrape.samples.count("slipway_queue_open_tasks"), 0u);
  EXPECT_GT(scrape.Sum("slipway_redis_errors_total", "code=\"UNAVAILABLE\""), 0);
}

// Who waits is told for what, and not where scripts read.
TEST_F(OperationsTest, CallsThatWaitForRedisSaySo) {
  redis_.Kill9();
  std::vector<std::unique_ptr<Running>> waiting;
  for (const std::vector<std::string>& command : {std::vector<std::string>{"list", "--json"},
                                                  {"workers", "--json"},
                                                  {"top", "--once", "--json"},
                                                  {"status", "0-0"}}) {
    waiting.push_back(box_.Start(command, {{"SLIPWAY_SERVER", server()}}));
  }
  for (const auto& command : waiting) {
    EXPECT_TRUE(Eventually([&] { return !command->ErrorsSoFar().empty(); }));
    EXPECT_THAT(command->ErrorsSoFar(), AllOf(HasSubstr("slipway: farm at " + server()), HasSubstr("Redis"),
                                              HasSubstr("trying for up to 30 s\n")));
    EXPECT_EQ(command->OutputSoFar(), "");
  }
  redis_.Restart();
  for (size_t i = 0; i < waiting.size(); ++i) {
    const Ended ended = waiting[i]->Wait();
    EXPECT_EQ(ended.code, i == 3 ? 2 : 0) << ended.err;  // the request went with Redis
    EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), i == 3 ? 2 : 1) << ended.err;
    std::istringstream lines(ended.out);
    for (std::string line; std::getline(lines, line);) EXPECT_TRUE(json::accept(line)) << line;
  }
}

// The store answers with errors, as a broken mount does: tasks wait for it, and their status says why.
TEST_F(OperationsTest, AWorkerThatPausesIsSeenAndItsTasksWait) {
  EXPECT_EQ(ScrapeOf(*worker_)["slipway_worker_paused"], 0);
  const std::filesystem::path blobs = box_.work() / "store/t", aside = box_.work() / "store/aside";
  const std::vector<std::string> command = {"export",  "a=lite",   "b=lite", "c=lite",
                                            "--dummy", "--target", "onnx",   "--no-verify"};
  ASSERT_EQ(Slipway(command).code, 0);
  std::filesystem::rename(blobs, aside);
  std::filesystem::create_symlink(blobs, blobs);
  std::vector<std::string> again = command;
  again.push_back("--fresh");
  const std::unique_ptr<Running> waits = box_.Start(again, {{"SLIPWAY_SERVER", server()}});
  EXPECT_TRUE(Eventually([&] { return ScrapeOf(*worker_)["slipway_worker_paused"] == 1; }));
  const std::string newest = Slipway({"list", "--json"}).out;
  const std::string request = json::parse(newest.substr(0, newest.find('\n'))).value("request_id", "");
  EXPECT_THAT(Slipway({"status", request}).out, HasSubstr("the farm's store does not work"));
  EXPECT_NE(Field(*worker_, "takes no task for a while: this machine fails", "reason"), "");
  std::filesystem::remove(blobs);
  std::filesystem::rename(aside, blobs);
  EXPECT_EQ(waits->Wait().code, 0);
  EXPECT_TRUE(Eventually([&] { return ScrapeOf(*worker_)["slipway_worker_paused"] == 0; }));
}

// By hand, under a running farm: what was stored is lost, but the farm goes on.
TEST_F(OperationsTest, AStoreThatSomebodyEmptiedIsFilledAgain) {
  const std::filesystem::path store = box_.work() / "store";
  const std::vector<std::string> command = {"export", "mtcnn-pnet@" + Weights("pnet"), "--target", "onnx", "--fresh"};
  EXPECT_TRUE(Eventually([&] { return std::filesystem::exists(store / "farm"); }));
  ASSERT_EQ(Slipway(command).code, 0);
  std::filesystem::remove_all(store);
  const Ended again = Slipway(command);
  EXPECT_EQ(again.code, 0) << again.out << again.err;
  EXPECT_TRUE(std::filesystem::exists(store / "farm"));
}

// A usage error names the flag; a port in use is the machine's fault.
TEST_F(OperationsTest, AWrongMetricsAddressIsSaid) {
  const std::string taken = Field(*coordinator_, "metrics", "address");
  for (const auto& [address, code] : std::map<std::string, int>{{"nowhere", 2}, {taken, 5}}) {
    for (const char* daemon : {"/slipway-coordinator", "/slipway-worker"}) {
      std::vector<std::string> arguments = {
          "--redis", redis_.address(), "--store", (box_.work() / "store").string(), "--metrics-listen", address};
      if (daemon == std::string("/slipway-coordinator")) {
        arguments.insert(arguments.end(), {"--listen", "unix:" + (box_.work() / "other.sock").string()});
      }
      const Ended ended = box_.StartProgram(SLIPWAY_BIN_DIR + std::string(daemon), arguments)->Wait();
      EXPECT_EQ(ended.code, code) << daemon << ended.err;
      EXPECT_THAT(ended.err, HasSubstr(address)) << daemon;
    }
  }
}

}  // namespace
}  // namespace slipway
