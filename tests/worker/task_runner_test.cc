// From a leased task to its commit.
#include "worker/daemon/task_runner.h"

#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/error.h"
#include "tests/worker/task_runner_fixture.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

// A store whose pins hold for this long, as a bucket's do.
class ForgetfulStore final : public ForwardingStore {
 public:
  ForgetfulStore(Store& store, absl::Duration lasts) : ForwardingStore(store), lasts_(lasts) {}
  absl::StatusOr<std::unique_ptr<BlobPins>> Pin() override { return std::make_unique<Pins>(lasts_); }

 private:
  struct Pins final : BlobPins {
    explicit Pins(absl::Duration lasts) : duration(lasts) {}
    absl::Status Add(std::string_view, std::span<const Digest>) override { return absl::OkStatus(); }
    absl::Duration lasts() const override { return duration; }
    const absl::Duration duration;
  };
  const absl::Duration lasts_;
};

TEST_F(TaskRunnerTest, StoresTheFilesAndCommits) {
  const std::string request = Submit();
  executor_.steps = {[this](const TaskMessage& task, const std::vector<int>& blobs) {
    EXPECT_EQ(task.model.name, "pnet");
    EXPECT_EQ(blobs.size(), 1u);
    char bytes[8] = {};
    EXPECT_EQ(pread(blobs[0], bytes, sizeof(bytes), 0), 7);
    EXPECT_STREQ(bytes, "weights");
    return Converts()(task, blobs);
  }};
  Run(Lease());
  EXPECT_EQ(View(request).state, TaskState::kPassed);
  const TaskResult result = Result(request);
  ASSERT_EQ(result.files.size(), 2u);
  EXPECT_EQ(result.files[0].path, "Data/weights.bin");
  EXPECT_EQ(*ReadBlob(*store_, "default", result.files[0].digest), "0123456789");
  EXPECT_EQ(*ReadBlob(*store_, "default", *result.parity), R"({"figures":1})");
  const json entry = json::parse(result.entry);
  // sha256sum of the ten bytes.
  EXPECT_EQ(entry["files"][0]["sha256"], "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882");
  EXPECT_EQ(entry["files"][0]["bytes"], 10);
  EXPECT_EQ(entry["status"], "passed");
  EXPECT_TRUE(entry["reason"].is_null());
  EXPECT_EQ(entry["worker"], "worker-1");
  EXPECT_EQ(entry["jail"], "partial");
  EXPECT_EQ(entry["attempts"], 1);
}

TEST_F(TaskRunnerTest, TheSameTaskIsNotRunTwice) {
  executor_.steps = {Converts()};
  const std::string first = Submit();
  Run(Lease());
  const std::string second = Submit();
  Run(Lease());
  EXPECT_EQ(executor_.runs, 1);
  EXPECT_EQ(View(second).state, TaskState::kPassed);
  EXPECT_EQ(Result(second).files[0].digest, Result(first).files[0].digest);
  EXPECT_EQ(json::parse(Result(first).entry)["cache_hit"], false);
  EXPECT_EQ(json::parse(Result(second).entry)["cache_hit"], true);
  // Gone or damaged: made again.
  fs::remove(folder_.path() / "store" / BlobKey("default", Result(first).files[0].digest));
  const std::string third = Submit();
  Run(Lease());
  EXPECT_EQ(executor_.runs, 2);
  EXPECT_EQ(json::parse(Result(third).entry)["cache_hit"], false);
  EXPECT_EQ(*ReadBlob(*store_, "default", Result(third).files[0].digest), "0123456789");
}

TEST_F(TaskRunnerTest, WithoutACacheEveryTaskIsRun) {
  executor_.steps = {Converts()};
  for (const bool cache : {false, true, false}) {
    cache_ = cache;
    Submit();
    Run(Lease());
  }
  EXPECT_EQ(executor_.runs, 3);
}

TEST_F(TaskRunnerTest, AFreshRequestIsRunAndKept) {
  executor_.steps = {Converts()};
  Submit();
  Run(Lease());
  fresh_ = true;
  Submit();
  Run(Lease());
  EXPECT_EQ(executor_.runs, 2);
  fresh_ = false;
  Submit();
  Run(Lease());
  EXPECT_EQ(executor_.runs, 2);
}

TEST_F(TaskRunnerTest, AFailureIsTriedAgain) {
  executor_.steps = {[](auto&, auto&) { return Answers(TaskOutput{.state = "failed", .reason = "no", .entry = "{}"}); },
                     Converts()};
  const std::string first = Submit();
  Run(Lease());
  EXPECT_EQ(View(first).state, TaskState::kFailed);
  const std::string second = Submit();
  Run(Lease());
  EXPECT_EQ(View(second).state, TaskState::kPassed);
}

// A judge was missing when it was made: what is made stays, and is judged.
TEST_F(TaskRunnerTest, AnArtifactThatIsMadeIsOnlyJudged) {
  executor_.steps = {[this](const TaskMessage& task, const std::vector<int>& blobs) {
                       EXPECT_FALSE(task.made);
                       Execution execution = Converts()(task, blobs);
                       std::ofstream(executor_.scratch() / "emitted.json") << "what was written";
                       execution.output->emitted = "emitted.json";
                       execution.output->state = "unverified";
                       return execution;
                     },
                     [this](const TaskMessage& task, const std::vector<int>& blobs) {
                       EXPECT_TRUE(task.made);
                       EXPECT_EQ(task.made->emitted, Digest::Of("what was written"));
                       EXPECT_EQ(task.made->files.at(0).path, "Data/weights.bin");
                       EXPECT_EQ(task.blobs.size(), 4u);  // the model, two files, what was said of them
                       EXPECT_EQ(blobs.size(), 4u);
                       return Converts()(task, blobs);
                     }};
  Submit();
  Run(Lease());
  const std::string second = Submit();
  Run(Lease());
  EXPECT_EQ(View(second).state, TaskState::kPassed);
  EXPECT_EQ(json::parse(Result(second).entry)["cache_hit"], true);
}

TEST_F(TaskRunnerTest, ANoopNeedsNoBlobs) {
  const std::string request = Submit("noop");
  executor_.steps = {[](const TaskMessage& task, const std::vector<int>& blobs) {
    EXPECT_TRUE(task.noop);
    EXPECT_TRUE(blobs.empty());
    return Answers(TaskOutput{.state = "passed"});
  }};
  Run(Lease());
  EXPECT_EQ(View(request).state, TaskState::kPassed);
  EXPECT_EQ(View(request).result, "");
}

TEST_F(TaskRunnerTest, AnotherWorkersLeaseFencesTheCommit) {
  const std::string request = Submit();
  executor_.steps = {Converts()};
  const LeasedTask mine = Lease();
  const LeasedTask others = Lease();  // once the first lease has run out
  ASSERT_NE(mine.token, others.token);
  Run(mine);
  EXPECT_EQ(View(request).state, TaskState::kRunning) << "still the other's";
  Run(others);
  EXPECT_EQ(View(request).state, TaskState::kPassed);
}

class RedisAwayTest : public TaskRunnerTest {
 protected:
  RedisAwayTest() : TaskRunnerTest({.persistent = true}) {}
  // Leaves a worker's question to the queue unanswered, and some more.
  void Lose(int questions = 5) {
    redis_.Kill9();
    executor_.when_asked = [this, questions] {
      if (++asked_ == questions) redis_.Restart();
    };
  }
  TaskState State(const std::string& request) {
    absl::StatusOr<std::vector<TaskView>> tasks;
    EXPECT_TRUE(Holds([&] { return (tasks = queue_->ListTasks(request, 0, 10)).ok(); }));
    return tasks.ok() ? tasks->at(0).state : TaskState::kRunning;
  }
  int asked_ = 0;
};

TEST_F(RedisAwayTest, AResultIsCommittedWhenItIsBack) {
  const std::string request = Submit();
  executor_.steps = {[this](const TaskMessage& task, const std::vector<int>& blobs) {
    Lose();
    return Converts()(task, blobs);
  }};
  Run(Lease());
  EXPECT_EQ(State(request), TaskState::kPassed);
}

TEST_F(RedisAwayTest, AResultThatPinsHoldNoLongerIsNotCommitted) {
  const std::string request = Submit();
  executor_.steps = {[this](const TaskMessage& task, const std::vector<int>& blobs) {
    Lose(/*questions=*/10);
    return Converts()(task, blobs);
  }};
  ForgetfulStore store(*store_, absl::Milliseconds(1));
  Run(Lease(), store);
  EXPECT_FALSE(IsTerminal(State(request)));
  EXPECT_NE(State(request), TaskState::kRunning);
  EXPECT_THAT(View(request).attempt_reasons, ElementsAre(HasSubstr("--garbage-after")));
}

TEST_F(TaskRunnerTest, AResultThatPinsHoldForAWhileIsCommitted) {
  const std::string request = Submit();
  executor_.steps = {Converts()};
  ForgetfulStore store(*store_, absl::Hours(12));
  Run(Lease(), store);
  EXPECT_EQ(View(request).state, TaskState::kPassed);
}

TEST_F(RedisAwayTest, ATaskIsReturnedWhenItIsBack) {
  const std::string request = Submit();
  executor_.steps = {[this](const TaskMessage&, const std::vector<int>&) {
    Lose();
    return Answers(WithKind(Unavailable("the disk is full"), ErrorKind::kMachine));
  }};
  Run(Lease());
  EXPECT_NE(State(request), TaskState::kRunning);
}

TEST_F(RedisAwayTest, AWorkerThatEndsWaitsForItNoLonger) {
  const std::string request = Submit();
  executor_.steps = {[this](const TaskMessage& task, const std::vector<int>& blobs) {
    redis_.Kill9();
    executor_.abandon = Abandon::kDraining;
    return Converts()(task, blobs);
  }};
  Run(Lease());
  redis_.Restart();
  EXPECT_EQ(State(request), TaskState::kRunning);
}

TEST_F(TaskRunnerTest, ACancelledRequestTakesNoResult) {
  const std::string request = Submit();
  executor_.steps = {Converts()};
  const LeasedTask task = Lease();
  ASSERT_TRUE(queue_->Cancel(request).ok());
  Run(task);
  EXPECT_EQ(View(request).state, TaskState::kCancelled);
}

TEST_F(TaskRunnerTest, FilesOutsideTheFolderAndLinksAreRefused) {
  const fs::path secret = folder_.path() / "secret";
  std::ofstream(secret) << "secret";
  for (const bool link : {false, true}) {
    const std::string request = Submit();
    executor_.runs = 0;
    executor_.steps = {[&](auto&&...) {
      fs::create_directories(executor_.scratch() / "artifact");
      if (link) fs::create_symlink(secret, executor_.scratch() / "artifact" / "stolen");
      TaskOutput output{.state = "passed", .entry = "{}"};
      output.files = {link ? "stolen" : "../../secret"};
      return Answers(output);
    }};
    Run(Lease());
    EXPECT_EQ(View(request).state, TaskState::kFailed) << link;
    EXPECT_TRUE(Result(request).files.empty());
  }
}

}  // namespace
}  // namespace slipway
