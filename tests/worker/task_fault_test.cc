// Tasks that end without a result: whose fault it is, and what becomes of them (docs/worker.md, "Whose fault").
#include <gmock/gmock.h>
#include <signal.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/error.h"
#include "tests/worker/task_runner_fixture.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// A store that answers so whoever reads or stores files.
class FailingStore final : public ForwardingStore {
 public:
  FailingStore(Store& store, absl::Status reading, absl::Status writing)
      : ForwardingStore(store), reading_(std::move(reading)), writing_(std::move(writing)) {}
  absl::StatusOr<UniqueFd> OpenLocal(std::string_view tenant, const Digest& digest) override {
    if (!reading_.ok()) return reading_;
    return ForwardingStore::OpenLocal(tenant, digest);
  }
  absl::StatusOr<Digest> PutFile(std::string_view tenant, const fs::path& file) override {
    if (!writing_.ok()) return writing_;
    return ForwardingStore::PutFile(tenant, file);
  }

 private:
  const absl::Status reading_, writing_;
};

TEST_F(TaskRunnerTest, AFullDiskOfTheWorkerCommitsNothingAndCounts) {
  const std::string request = Submit();
  executor_.steps = {Converts()};
  FailingStore full(*store_, absl::OkStatus(), ErrnoStatus(ENOSPC, "store the file"));
  Run(Lease(), full);
  EXPECT_FALSE(IsTerminal(View(request).state)) << Name(View(request).state);
  const LeasedTask again = Lease();
  EXPECT_EQ(again.request, request);
  EXPECT_EQ(again.attempt, 2);
}

// However long the store is away or full, no task ends by it; once it is back, each runs.
TEST_F(TaskRunnerTest, AStoreThatIsDownUsesUpNoAttempt) {
  const std::string request = Submit();
  executor_.steps = {Converts()};
  FailingStore away(*store_, StoreErrno(EACCES, "open /srv/farm/t"), absl::OkStatus()),
      full(*store_, absl::OkStatus(), StoreErrno(ENOSPC, "write /srv/farm/t"));
  for (int outage = 0; outage < 3; ++outage) {
    for (FailingStore* store : {&away, &full}) {
      const LeasedTask task = Lease();
      EXPECT_EQ(task.attempt, 1);
      EXPECT_EQ(Run(task, *store).machine, Health::kBroken);
      EXPECT_FALSE(IsTerminal(View(request).state)) << View(request).reason;
    }
  }
  EXPECT_THAT(View(request).reason, AllOf(HasSubstr("the farm's store is full"), Not(HasSubstr("/srv"))));
  Run(Lease());
  EXPECT_EQ(View(request).state, TaskState::kPassed);
}

TEST_F(TaskRunnerTest, WhileAStoreIsDownARequestIsCancelledAsEver) {
  const std::string request = Submit();
  executor_.steps = {Converts()};
  FailingStore away(*store_, StoreErrno(EIO, "open"), absl::OkStatus());
  Run(Lease(), away);
  ASSERT_TRUE(queue_->Cancel(request).ok());
  EXPECT_EQ(View(request).state, TaskState::kCancelled);
}

// Its user waits at the machine whose store it is.
TEST_F(TaskRunnerTest, TheOnlyWorkerFailsTasksWhoseStoreStaysDownAndNamesThePlace) {
  const std::string request = Submit();
  executor_.steps = {Converts()};
  sole_ = true;
  FailingStore full(*store_, absl::OkStatus(), StoreErrno(ENOSPC, "write /srv/farm/t"));
  for (int attempt = 1; attempt <= 3; ++attempt) {
    const LeasedTask task = Lease();
    EXPECT_EQ(task.attempt, attempt);
    Run(task, full);
  }
  EXPECT_EQ(View(request).state, TaskState::kFailed);
  EXPECT_THAT(View(request).reason, HasSubstr("/srv/farm/t"));
}

// As when a mount goes away and leaves an empty folder.
TEST_F(TaskRunnerTest, AFarmsStoreThatIsNobodysAnyMoreIsDown) {
  const TemporaryFolder disk = *TemporaryFolder::Create("/dev/shm", "store-");  // another file system
  const fs::path mount = folder_.path() / "mount";
  fs::create_directory_symlink(disk.path(), mount);
  store_ = *OpenLocalStore({mount, true});
  const std::string request = Submit();
  executor_.steps = {Converts()};
  ASSERT_TRUE(store_->Bind("farm").ok());
  EXPECT_EQ(*store_->Farm(), "farm");
  fs::remove(mount);
  for (int i = 0; i < 3; ++i) {
    const LeasedTask task = Lease();
    EXPECT_EQ(task.attempt, 1);
    EXPECT_EQ(Run(task).machine, Health::kBroken);
  }
  EXPECT_EQ(View(request).reason, "the farm's store is away; its keeper has to mount it");
  EXPECT_EQ(executor_.runs, 0);
  fs::remove_all(mount);
  fs::create_directory_symlink(disk.path(), mount);
  Run(Lease());
  EXPECT_EQ(View(request).state, TaskState::kPassed);
}

// Its blobs do not come back by waiting.
TEST_F(TaskRunnerTest, InAStoreThatSomebodyEmptiedBlobsAreLost) {
  const std::string request = Submit();
  ASSERT_TRUE(store_->Bind("farm").ok());
  EXPECT_EQ(*store_->Farm(), "farm");
  fs::remove_all(folder_.path() / "store");
  executor_.steps = {Converts()};
  for (int attempt = 1; attempt <= 3; ++attempt) {
    const LeasedTask task = Lease();
    EXPECT_EQ(task.attempt, attempt);
    EXPECT_EQ(Run(task).machine, Health::kUnsaid);
  }
  EXPECT_EQ(View(request).state, TaskState::kFailed);
  EXPECT_THAT(View(request).reason, HasSubstr("is not stored"));
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

// The mount has been missing since before this process began.
TEST_F(MachineTest, ALostBlobInAStoreThatIsNobodysIsTheMissingMountsWhereTheFarmHasAStore) {
  ASSERT_TRUE(queue_->FarmId().ok());
  ASSERT_TRUE(queue_->NoteStore("another file system").ok());
  input_ = Digest::Of("never stored");
  const std::string request = Submit();
  executor_.steps = {Converts()};
  EXPECT_EQ(Run(Lease()).machine, Health::kBroken);
  EXPECT_EQ(View(request).reason, "the farm's store is away; its keeper has to mount it");
  EXPECT_EQ(Lease().attempt, 1);
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

}  // namespace
}  // namespace slipway
