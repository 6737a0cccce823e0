// From a leased task to its commit, against a real Redis and a real store; what runs in the child is a script.
#include "worker/daemon/task_runner.h"

#include <gmock/gmock.h>
#include <signal.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/error.h"
#include "common/base/random.h"
#include "common/store/layout.h"
#include "tests/support/redis.h"
#include "tests/worker/support.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

class ScriptedExecutor final : public Executor {
 public:
  using Step = std::function<Execution(const TaskMessage&, const std::vector<int>&)>;
  ScriptedExecutor() : folder_(*TemporaryFolder::Create(TemporaryFolder::ShortParent(), "executor-")) {}

  absl::StatusOr<Execution> Execute(const TaskMessage& task, const std::vector<int>& blobs, const std::string& tenant,
                                    const std::function<void(const std::string&)>& progress) override {
    progress("converting");
    const Step step = steps.size() > 1 ? steps[runs] : steps.at(0);
    ++runs;
    fs::create_directory(folder_.path());
    Execution execution = step(task, blobs);
    if (execution.end != Execution::End::kResult) fs::remove_all(folder_.path());  // it goes with its child
    return execution;
  }
  fs::path scratch() const override { return folder_.path(); }
  Abandon abandoned() const override {
    if (when_asked) when_asked();
    return abandon;
  }

  std::vector<Step> steps;  // one a run; a single one for all
  Abandon abandon = Abandon::kNo;
  std::function<void()> when_asked;
  int runs = 0;

 private:
  TemporaryFolder folder_;
};

Execution Answers(absl::StatusOr<TaskOutput> output) {
  Execution execution;
  execution.end = Execution::End::kResult;
  execution.output = std::move(output);
  return execution;
}

Execution Dies(int signal) {
  Execution execution;
  execution.end = Execution::End::kDied;
  execution.exit = {.id = 1, .pid = 4711, .signal = signal};
  return execution;
}

class ForwardingStore : public Store {
 public:
  explicit ForwardingStore(Store& store) : store_(store) {}
  absl::StatusOr<std::vector<Digest>> FindMissing(std::string_view tenant, std::span<const Digest> wanted) override {
    return store_.FindMissing(tenant, wanted);
  }
  absl::StatusOr<std::unique_ptr<BlobReader>> Open(std::string_view tenant, const Digest& digest,
                                                   uint64_t offset) override {
    return store_.Open(tenant, digest, offset);
  }
  absl::StatusOr<std::unique_ptr<BlobWriter>> Create(std::string_view tenant, const Digest& digest) override {
    return store_.Create(tenant, digest);
  }
  absl::StatusOr<UniqueFd> OpenLocal(std::string_view tenant, const Digest& digest) override {
    return store_.OpenLocal(tenant, digest);
  }
  absl::StatusOr<Digest> PutFile(std::string_view tenant, const fs::path& file) override {
    return store_.PutFile(tenant, file);
  }

 private:
  Store& store_;
};

// A store whose disk is full for files.
class FullStore final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  absl::StatusOr<Digest> PutFile(std::string_view, const fs::path&) override {
    return ErrnoStatus(ENOSPC, "store the file");
  }
};

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

class TaskRunnerTest : public testing::Test {
 protected:
  explicit TaskRunnerTest(const RedisOptions& redis = {})
      : redis_(redis), folder_(*TemporaryFolder::Create(TemporaryFolder::ShortParent(), "runner-")) {
    store_ = *OpenLocalStore({folder_.path() / "store", true});
    queue_ = *ConnectQueue({.address = redis_.address(), .lease = absl::Milliseconds(400), .max_attempts = 3});
  }

  // A request of one cell whose model is the blob "weights".
  std::string Submit(const std::string& kind = "onnx") {
    RequestSpec spec;
    SpecModel model{"pnet", kind, "", {}};
    if (kind != "noop")
      model.files = {{"zoo/pnet.onnx", "", input_.value_or(*WriteBlob(*store_, "default", "weights"))}};
    spec.models = {model};
    spec.tasks = {{SpecTask::Kind::kCell, 0, "onnx", "fp32", -1}};
    spec.fresh = fresh_;
    QueuedRequest request;
    request.id = "0-" + RandomHex(8);
    request.spec = spec.ToJson();
    request.tasks = {{.index = 0}};
    EXPECT_EQ(*queue_->Submit(request), request.id);
    return request.id;
  }
  LeasedTask Lease() {
    std::optional<LeasedTask> task;
    EXPECT_TRUE(Holds([&] {
      auto leased = queue_->Lease({"worker-1", RandomHex(16), {"any"}});
      EXPECT_TRUE(leased.ok()) << leased.status();
      task = leased.ok() ? *leased : std::nullopt;
      return task.has_value() || queue_->Maintain().value_or(0) < 0;
    }));
    return task.value_or(LeasedTask{});
  }
  TaskRunner::Ended Run(const LeasedTask& task) { return Run(task, *store_); }
  TaskRunner::Ended Run(const LeasedTask& task, Store& store) {
    TaskRunnerOptions options;
    options.worker = "worker-1";
    options.jail = JailLevel::kPartial;
    options.retry_delay = absl::ZeroDuration();
    options.cache = cache_;
    return TaskRunner(*queue_, store, options).Run(task, executor_);
  }
  TaskView View(const std::string& request) { return queue_->ListTasks(request, 0, 10)->at(0); }
  TaskResult Result(const std::string& request) {
    return *TaskResult::FromJson(*ReadBlob(*store_, "default", *Digest::Parse(View(request).result)));
  }

  // An artifact of two files and its parity figures.
  ScriptedExecutor::Step Converts() {
    return [this](const TaskMessage&, const std::vector<int>&) {
      fs::create_directories(executor_.scratch() / "artifact" / "Data");
      std::ofstream(executor_.scratch() / "artifact" / "Data" / "weights.bin") << "0123456789";
      std::ofstream(executor_.scratch() / "artifact" / "m.json") << "{}";
      std::ofstream(executor_.scratch() / "parity.json") << R"({"figures":1})";
      TaskOutput output{.state = "passed", .entry = R"({"target":"onnx","precision":"fp32"})"};
      output.files = {"Data/weights.bin", "m.json"};
      output.parity = "parity.json";
      return Answers(output);
    };
  }

  RedisServer redis_;
  TemporaryFolder folder_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Queue> queue_;
  std::optional<Digest> input_;
  bool cache_ = true, fresh_ = false;
  ScriptedExecutor executor_;
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

TEST_F(TaskRunnerTest, AFullDiskCommitsNothing) {
  const std::string request = Submit();
  executor_.steps = {Converts()};
  FullStore full(*store_);
  Run(Lease(), full);
  EXPECT_FALSE(IsTerminal(View(request).state)) << Name(View(request).state);
  const LeasedTask again = Lease();
  EXPECT_EQ(again.request, request);
  EXPECT_EQ(again.attempt, 2);
}

TEST_F(TaskRunnerTest, AModelsFaultFailsAtOnce) {
  const std::string request = Submit();
  executor_.steps = {[](auto&&...) { return Answers(InvalidArgument("pnet.onnx: node 'x' has no input")); }};
  Run(Lease());
  EXPECT_EQ(View(request).state, TaskState::kFailed);
  EXPECT_EQ(View(request).reason, "pnet.onnx: node 'x' has no input");
  const json entry = json::parse(Result(request).entry);
  EXPECT_EQ(entry["status"], "failed");
  EXPECT_EQ(entry["reason"], View(request).reason);
  EXPECT_EQ(Result(request).reason, View(request).reason);
  EXPECT_EQ(entry["target"], "onnx");
  EXPECT_TRUE(entry["files"].empty());
}

TEST_F(TaskRunnerTest, AMachinesFaultIsTriedAgainUntilItsAttemptsAreUsed) {
  const std::string request = Submit();
  executor_.steps = {[](auto&&...) { return Answers(ErrnoStatus(EIO, "read the model")); }};
  for (int attempt = 1; attempt <= 3; ++attempt) {
    ASSERT_FALSE(IsTerminal(View(request).state));
    const LeasedTask task = Lease();
    EXPECT_EQ(task.attempt, attempt);
    Run(task);
  }
  EXPECT_EQ(View(request).state, TaskState::kFailed);
  EXPECT_THAT(View(request).reason, HasSubstr("read the model"));
}

// What a task tells of the machine that it ran on: the breaker opens by it.
class MachineTest : public TaskRunnerTest {
 protected:
  // Of a new task in which the child does this.
  Health After(const ScriptedExecutor::Step& step) {
    const std::string request = Submit();
    executor_.steps = {step};
    const TaskRunner::Ended ended = Run(Lease());
    EXPECT_FALSE(ended.machine == Health::kBroken && ended.reason.empty());
    EXPECT_TRUE(queue_->Cancel(request).ok());
    return ended.machine;
  }
  static Execution Judged(absl::Status answer) {
    Execution execution = Answers(std::move(answer));
    execution.judged = true;
    return execution;
  }
};

TEST_F(MachineTest, ItIsWellWhenATaskIsRunAndStored) {
  cache_ = false;
  EXPECT_EQ(After(Converts()), Health::kWell);
  EXPECT_EQ(After([](auto&&...) { return Answers(InvalidArgument("node 'x' has no input")); }), Health::kWell);
}

TEST_F(MachineTest, ItIsBrokenWhenItFails) {
  EXPECT_EQ(After([](auto&&...) { return Answers(ErrnoStatus(ENOSPC, "write")); }), Health::kBroken);
  EXPECT_EQ(After([](auto&&...) { return Judged(ErrnoStatus(ENOSPC, "write")); }), Health::kBroken);
  EXPECT_EQ(After([](auto&&...) { return Answers(Unavailable("the litert judge does not answer")); }), Health::kBroken);
  EXPECT_EQ(After([](auto&&...) { return Dies(SIGKILL); }), Health::kBroken);
  EXPECT_EQ(After([](auto&&...) {
              Execution unborn;
              unborn.exit.error = "fork: Cannot allocate memory";
              return unborn;
            }),
            Health::kBroken);
}

// A model that kills every judge must not stop the farm.
TEST_F(MachineTest, JudgesThatDieAtWorkTellNothing) {
  EXPECT_EQ(After([](auto&&...) { return Judged(Unavailable("the litert judge broke off")); }), Health::kUnsaid);
  EXPECT_EQ(After([](auto&&...) { return Judged(Internal("litert: RuntimeError")); }), Health::kUnsaid);
  EXPECT_EQ(After([](auto&&...) { return Dies(SIGSEGV); }), Health::kUnsaid);
}

TEST_F(MachineTest, WhatIsGivenUpTellsNothing) {
  for (const Abandon why : {Abandon::kDraining, Abandon::kLost}) {
    Submit();
    executor_.steps = {[&](auto&&...) {
      executor_.abandon = why;
      return Dies(SIGKILL);
    }};
    EXPECT_EQ(Run(Lease()).machine, Health::kUnsaid);
  }
}

// Nor must a request whose blob is lost; but where the store is no farm's, a mount may be missing.
TEST_F(MachineTest, ALostBlobTellsNothingInAFarmsStore) {
  input_ = Digest::Of("never stored");
  EXPECT_EQ(After(Converts()), Health::kBroken);
  ASSERT_TRUE(store_->Bind("farm").ok());
  EXPECT_EQ(After(Converts()), Health::kUnsaid);
}

TEST_F(TaskRunnerTest, ACrashIsTriedOnceMoreElsewhere) {
  const std::string request = Submit();
  executor_.steps = {[](auto&&...) { return Dies(SIGSEGV); }, Converts()};
  queue_ = *ConnectQueue({.address = redis_.address(), .lease = absl::Hours(1)});  // so long a worker counts as there
  ASSERT_TRUE(queue_->Heartbeat({.id = "worker-2", .last_seen = {}}, {}).ok());
  Run(Lease());
  EXPECT_EQ(executor_.runs, 1);
  EXPECT_EQ(View(request).state, TaskState::kDelayed);
  EXPECT_FALSE(*queue_->Lease({"worker-1", RandomHex(16), {"any"}}));
  const auto elsewhere = *queue_->Lease({"worker-2", RandomHex(16), {"any"}});
  ASSERT_TRUE(elsewhere);
  Run(*elsewhere);
  EXPECT_EQ(View(request).state, TaskState::kPassed);
}

TEST_F(TaskRunnerTest, ASecondCrashIsTheModelsFault) {
  const std::string request = Submit();
  executor_.steps = {[](auto&&...) { return Dies(SIGABRT); }};
  Run(Lease());
  EXPECT_FALSE(IsTerminal(View(request).state));
  Run(Lease());
  EXPECT_EQ(executor_.runs, 2);
  EXPECT_EQ(View(request).state, TaskState::kFailed);
  EXPECT_THAT(View(request).reason, HasSubstr("SIGABRT"));
  EXPECT_EQ(View(request).attempt_reasons.size(), 2u);
}

TEST_F(TaskRunnerTest, RunningOutOfMemoryGivesTheTaskBack) {
  const std::string request = Submit();
  executor_.steps = {[](auto&&...) { return Dies(SIGKILL); }};
  Run(Lease());
  EXPECT_EQ(executor_.runs, 1);
  const LeasedTask again = Lease();
  EXPECT_EQ(again.attempt, 2);
  EXPECT_EQ(again.kills, 1);
}

TEST_F(TaskRunnerTest, ATimeoutFailsWithoutAnotherTry) {
  const std::string request = Submit();
  executor_.steps = {[](auto&&...) {
    Execution execution;
    execution.end = Execution::End::kTimedOut;
    return execution;
  }};
  Run(Lease());
  EXPECT_EQ(executor_.runs, 1);
  EXPECT_EQ(View(request).state, TaskState::kFailed);
  EXPECT_THAT(View(request).reason, HasSubstr("--task-timeout"));
}

TEST_F(TaskRunnerTest, ADrainedTaskGoesBackUncounted) {
  Submit();
  executor_.steps = {[this](auto&&...) {
    executor_.abandon = Abandon::kDraining;
    return Dies(SIGKILL);
  }};
  Run(Lease());
  EXPECT_EQ(Lease().attempt, 1);
}

TEST_F(TaskRunnerTest, ALostTaskIsNotTouched) {
  const std::string request = Submit();
  executor_.steps = {[this](auto&&...) {
    executor_.abandon = Abandon::kLost;
    return Dies(SIGKILL);
  }};
  const LeasedTask task = Lease();
  Run(task);
  EXPECT_EQ(executor_.runs, 1);
  EXPECT_EQ(View(request).state, TaskState::kRunning);
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

TEST_F(TaskRunnerTest, TellsHowAJudgeDied) {
  const std::string request = Submit();
  executor_.steps = {[](auto&&...) {
    Execution execution = Answers(Unavailable("the litert judge broke off"));
    execution.judged = true;
    execution.judge_deaths = "3 judges died in turn; the last: the litert judge was killed by SIGSEGV";
    return execution;
  }};
  Run(Lease());
  EXPECT_THAT(View(request).reason, HasSubstr("killed by SIGSEGV"));
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

TEST_F(TaskRunnerTest, AMissingInputIsNoFaultOfTheModel) {
  input_ = Digest::Of("never uploaded");
  const std::string request = Submit();
  executor_.steps = {Converts()};
  Run(Lease());
  EXPECT_EQ(executor_.runs, 0);
  EXPECT_FALSE(IsTerminal(View(request).state));
  EXPECT_EQ(Lease().attempt, 2);
}

// A disk that loses bits after the worker's look at the file: not even the child's word that the model is broken counts.
TEST_F(TaskRunnerTest, WhatAnInputThatChangedMeanwhileGaveIsNotCommitted) {
  const std::string request = Submit();
  const fs::path blob = folder_.path() / "store" / BlobKey("default", Digest::Of("weights"));
  const auto damage = [&] {
    fs::permissions(blob, fs::perms::owner_write, fs::perm_options::add);
    std::ofstream(blob, std::ios::in | std::ios::out) << "W";
    fs::last_write_time(blob,
                        fs::file_time_type::clock::now() + std::chrono::hours(1));  // the clock of files is coarse
  };
  executor_.steps = {[&](const TaskMessage& task, const std::vector<int>& blobs) {
                       damage();
                       return Converts()(task, blobs);
                     },
                     [&](auto&&...) {
                       damage();
                       return Answers(InvalidArgument("no ONNX file"));
                     },
                     Converts()};
  for (int run = 1; run <= 2; ++run) {
    Run(Lease());
    ASSERT_EQ(executor_.runs, run);
    ASSERT_FALSE(IsTerminal(View(request).state)) << View(request).reason;
    ASSERT_TRUE(
        WriteBlob(*store_, "default", "weights").ok());  // as a client does when it is told that the blob is damaged
  }
  Run(Lease());
  EXPECT_EQ(View(request).state, TaskState::kPassed) << View(request).reason;
  EXPECT_EQ(executor_.runs, 3);
}

// A judge that finds no file to open has nothing to say of the artifact.
TEST_F(TaskRunnerTest, AVerdictWithoutItsFilesIsNotCommitted) {
  const std::string request = Submit();
  executor_.steps = {[&](auto&&...) {
    fs::remove_all(executor_.scratch());
    return Answers(TaskOutput{.state = "parity_failed", .entry = R"({"target":"onnx","precision":"fp32"})"});
  }};
  Run(Lease());
  EXPECT_EQ(executor_.runs, 1);
  EXPECT_FALSE(IsTerminal(View(request).state)) << View(request).reason;
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
