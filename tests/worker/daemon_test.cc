// The worker from the outside: what it does with tasks, signals, and deaths of all kinds.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <sstream>

#include "absl/time/clock.h"
#include "common/base/error.h"
#include "tests/worker/support.h"
#include "tests/worker/worker_process.h"

namespace slipway {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

class DaemonTest : public WorkerTest {
 protected:
  // A task that the worker holds and cannot finish: its child is stopped.
  std::string HoldTask(WorkerProcess& worker) {
    EXPECT_TRUE(Holds([&] { return (child_ = worker.ConverterChild()) != kNoProcess; }));
    if (child_ != kNoProcess) kill(child_, SIGSTOP);
    const std::string request = SubmitNoops(1);
    EXPECT_TRUE(Runs(request));
    return request;
  }
  // The file of its spec in the store.
  std::filesystem::path SpecOf(const std::string& request) {
    const Digest spec = Digest::Parse(queue_->GetRequest(request)->spec).value();
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
      if (entry.path().filename().string().find(spec.Hex()) != std::string::npos) return entry.path();
    }
    return {};
  }
  // Tasks that wait for a while come back, too.
  bool AllEndMaintained(const std::string& request) {
    return Holds([&] { return queue_->Maintain().ok() && queue_->GetRequest(request)->open == 0; });
  }
  void ExpectAllEnd(const std::vector<pid_t>& processes) {
    for (const pid_t pid : processes) EXPECT_TRUE(EndsWithin(pid)) << *ReadFile(fmt::format("/proc/{}/cmdline", pid));
  }
  pid_t child_ = kNoProcess;
};

TEST_F(DaemonTest, RunsTasks) {
  WorkerProcess worker(Arguments());
  const std::string request = SubmitNoops(300);  // more than one child's term
  ASSERT_TRUE(AllEnd(request));
  for (const TaskView& task : Tasks(request)) {
    EXPECT_EQ(task.state, TaskState::kPassed);
    EXPECT_EQ(task.attempts, 1);
  }
  const auto workers = *queue_->ListWorkers();
  ASSERT_EQ(workers.size(), 1u);
  EXPECT_EQ(workers[0].slots, 1);
}

TEST_F(DaemonTest, SigtermEndsAnIdleWorker) {
  WorkerProcess worker(Arguments({"--prewarm", "ncnn"}));
  const auto below = worker.Below();
  EXPECT_GE(below.size(), 3u) << "zygote, child, host";
  worker.Signal(SIGTERM);
  EXPECT_EQ(worker.Exit(), 0) << worker.output();
  for (const pid_t pid : below) EXPECT_TRUE(EndsWithin(pid, absl::ZeroDuration())) << "ended before the worker";
  EXPECT_TRUE(ScratchIsEmpty());
  EXPECT_TRUE(queue_->ListWorkers()->empty());
}

TEST_F(DaemonTest, NothingSurvivesAKill) {
  WorkerProcess worker(Arguments({"--prewarm", "onnxruntime,litert,ncnn"}));
  // Zygote, child and three hosts, which warm while the daemon is already at work.
  std::vector<pid_t> below = worker.Below();
  for (const absl::Time deadline = absl::Now() + absl::Seconds(30); below.size() < 5 && absl::Now() < deadline;) {
    absl::SleepFor(absl::Milliseconds(1));
    below = worker.Below();
  }
  ASSERT_GE(below.size(), 5u);
  worker.Signal(SIGKILL);
  EXPECT_EQ(worker.Exit(), -SIGKILL);
  ExpectAllEnd(below);
  // The next one tidies up.
  EXPECT_FALSE(ScratchIsEmpty());
  WorkerProcess next(Arguments());
  next.Signal(SIGTERM);
  EXPECT_EQ(next.Exit(), 0);
  EXPECT_TRUE(ScratchIsEmpty());
}

// One that is killed while another starts: that finds its lock still held.
TEST_F(DaemonTest, WhatAKilledWorkerLeavesIsRemovedAlsoLater) {
  const std::filesystem::path left = folder_.path() / "scratch" / "slipway-worker-1";
  std::filesystem::create_directories(left / "child-1");
  UniqueFd lock(open((left.string() + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(flock(lock.get(), LOCK_EX), 0);
  WorkerProcess worker(Arguments({"--lease", "0.5"}));
  EXPECT_TRUE(std::filesystem::exists(left / "child-1"));
  lock.Reset();
  EXPECT_TRUE(
      Holds([&] { return !std::filesystem::exists(left) && !std::filesystem::exists(left.string() + ".lock"); }));
}

TEST_F(DaemonTest, EndsWithItsParent) {
  WorkerProcess worker(Arguments());
  HoldTask(worker);
  const auto below = worker.Below();
  worker.CloseParentPipe();
  EXPECT_EQ(worker.Exit(), 0) << worker.output();
  ExpectAllEnd(below);
  EXPECT_TRUE(ScratchIsEmpty());
}

TEST_F(DaemonTest, DrainingGivesATaskBackUncounted) {
  WorkerProcess worker(Arguments({"--drain-timeout", "0.05"}));
  const std::string request = HoldTask(worker);
  worker.Signal(SIGTERM);
  EXPECT_EQ(worker.Exit(), 0) << worker.output();
  EXPECT_EQ(Tasks(request)[0].state, TaskState::kReady);
  const LeasedTask again = LeaseForTest(absl::Milliseconds(500));
  EXPECT_EQ(again.request, request);
  EXPECT_EQ(again.attempt, 1) << "not counted";
}

// Whoever reads the request's spec waits for ever, as for a store that does not answer.
TEST_F(DaemonTest, WhatTheStoreHoldsUpIsGivenBackAtTheEnd) {
  const std::string request = SubmitNoops(1);
  const std::filesystem::path blob = SpecOf(request);
  ASSERT_TRUE(std::filesystem::remove(blob)) << blob;
  ASSERT_EQ(mkfifo(blob.c_str(), 0600), 0);
  WorkerProcess worker(Arguments({"--drain-timeout", "0.05"}));
  EXPECT_TRUE(Runs(request));
  worker.Signal(SIGTERM);
  EXPECT_EQ(worker.Exit(), 0) << worker.output();
  EXPECT_EQ(Tasks(request)[0].state, TaskState::kReady);
  EXPECT_EQ(LeaseForTest(absl::Milliseconds(500)).attempt, 1) << "not counted";
}

// What it logs of tasks that it returns (R), pauses (P) and their end (E).
std::string Course(const std::string& log) {
  std::string course;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("returned a task") != line.npos) course += 'R';
    if (line.find("takes no task for a while") != line.npos) course += 'P';
    if (line.find("takes tasks again") != line.npos) course += 'E';
  }
  return course;
}

TEST_F(DaemonTest, AWorkerWhoseMachineFailsPausesAndTriesOneTaskAtATime) {
  const std::string request = SubmitNoops(40);
  const std::filesystem::path blob = SpecOf(request), aside = folder_.path() / "aside";
  std::filesystem::rename(blob, aside);
  std::filesystem::create_symlink(blob, blob);  // ELOOP: a mount that answers with errors
  WorkerProcess worker(Arguments());
  const auto returned = [&] {
    size_t sum = 0;
    for (const TaskView& task : Tasks(request)) sum += task.attempt_reasons.size();
    return sum;
  };
  ASSERT_TRUE(Holds([&] { return returned() >= 4; }));
  std::filesystem::rename(aside, blob);
  ASSERT_TRUE(AllEndMaintained(request));
  for (const TaskView& task : Tasks(request)) {
    EXPECT_EQ(task.state, TaskState::kPassed) << task.reason;
    EXPECT_EQ(task.attempts, 1) << "what fails by the store is not counted, nor is a try after a pause";
  }
  worker.Signal(SIGTERM);
  EXPECT_EQ(worker.Exit(), 0) << worker.output();
  EXPECT_THAT(Course(worker.output()), MatchesRegex("RRRP(RP)+E")) << worker.output();
  EXPECT_THAT(worker.output(), HasSubstr("for=1s reason=\"the request's spec: "));
  EXPECT_THAT(worker.output(), HasSubstr("for=2s"));
}

TEST_F(DaemonTest, AWorkerThatPausesDrains) {
  const std::string request = SubmitNoops(40);
  const std::filesystem::path blob = SpecOf(request);
  std::filesystem::remove(blob);
  std::filesystem::create_symlink(blob, blob);
  WorkerProcess worker(Arguments({"--drain-timeout", "3600"}));
  ASSERT_TRUE(Holds([&] { return (*queue_->Depth()).delayed >= 3; }));
  worker.Signal(SIGTERM);
  EXPECT_EQ(worker.Exit(), 0) << worker.output();
  EXPECT_THAT(Course(worker.output()), StartsWith("RRRP"));
}

// A worker that takes all is the farm's only one.
TEST_F(DaemonTest, TheOnlyWorkerOfAFarmDoesNotPause) {
  const std::string request = SubmitNoops(1);
  const std::filesystem::path blob = SpecOf(request);
  std::filesystem::remove(blob);
  std::filesystem::create_symlink(blob, blob);
  WorkerProcess worker(Arguments({"--take-all"}));
  ASSERT_TRUE(AllEndMaintained(request));
  worker.Signal(SIGTERM);
  EXPECT_EQ(worker.Exit(), 0) << worker.output();
  EXPECT_EQ(Course(worker.output()), "RRR");
}

TEST_F(DaemonTest, DrainingLetsATaskFinish) {
  WorkerProcess worker(Arguments({"--drain-timeout", "60"}));
  const std::string request = HoldTask(worker);
  worker.Signal(SIGTERM);
  kill(child_, SIGCONT);
  EXPECT_EQ(worker.Exit(), 0) << worker.output();
  EXPECT_EQ(Tasks(request)[0].state, TaskState::kPassed);
}

TEST_F(DaemonTest, ASecondSignalEndsTheGrace) {
  WorkerProcess worker(Arguments({"--drain-timeout", "3600"}));
  const std::string request = HoldTask(worker);
  worker.Signal(SIGTERM);
  // The first has been taken when no more is leased.
  const std::string later = SubmitNoops(1);
  worker.Signal(SIGINT);
  EXPECT_EQ(worker.Exit(), 0) << worker.output();
  EXPECT_EQ(Tasks(request)[0].state, TaskState::kReady);
  EXPECT_EQ(Tasks(later)[0].state, TaskState::kReady);
}

TEST_F(DaemonTest, ACrashedChildIsReplacedAndTheTaskTriedAgain) {
  WorkerProcess worker(Arguments());
  // A child that dies before the task has come to it is replaced without a word: then once more.
  int attempts = 1;
  for (int round = 0; round < 100 && attempts == 1; ++round) {
    const std::string request = HoldTask(worker);
    kill(child_, SIGSEGV);
    kill(child_, SIGCONT);
    ASSERT_TRUE(AllEnd(request));
    EXPECT_EQ(Tasks(request)[0].state, TaskState::kPassed);
    attempts = Tasks(request)[0].attempts;
    EXPECT_NE(worker.ConverterChild(), child_);
  }
  EXPECT_EQ(attempts, 2);
}

TEST_F(DaemonTest, ACancelledTasksChildIsKilled) {
  // Long enough that the heartbeat is not what tells.
  WorkerProcess worker(Arguments({"--lease", "600"}));
  const std::string request = HoldTask(worker);
  ASSERT_TRUE(queue_->Cancel(request).ok());
  EXPECT_TRUE(EndsWithin(child_));
  const std::string next = SubmitNoops(1);
  EXPECT_TRUE(AllEnd(next));
  EXPECT_EQ(Tasks(next)[0].state, TaskState::kPassed);
}

TEST_F(DaemonTest, ALostLeaseKillsTheChildAndFencesItsResult) {
  WorkerProcess worker(Arguments({"--lease", "0.5"}));
  const std::string request = HoldTask(worker);
  worker.Signal(SIGSTOP);  // as a machine that hangs: no heartbeat
  const LeasedTask mine = LeaseForTest(absl::Milliseconds(500));
  EXPECT_EQ(mine.request, request);
  worker.Signal(SIGCONT);
  EXPECT_TRUE(EndsWithin(child_));
  EXPECT_EQ(Tasks(request)[0].state, TaskState::kRunning);
  TaskCommit commit{request, 0, mine.token, TaskState::kPassed};
  EXPECT_EQ(*queue_->Commit(commit), CommitOutcome::kCommitted);
}

TEST_F(DaemonTest, AKilledZygoteEndsTheWorkerAndLosesNoTask) {
  WorkerProcess worker(Arguments());
  const std::string request = HoldTask(worker);
  const auto below = worker.Below();
  ASSERT_FALSE(below.empty());
  kill(below[0], SIGKILL);
  EXPECT_EQ(worker.Exit(), 5);
  EXPECT_THAT(worker.output(), HasSubstr("zygote"));
  ExpectAllEnd(below);
  EXPECT_FALSE(IsTerminal(Tasks(request)[0].state));
}

TEST_F(DaemonTest, RedisGoingAndComingBackLosesNothing) {
  WorkerProcess worker(Arguments());
  ASSERT_TRUE(AllEnd(SubmitNoops(1)));
  redis_.Stop();
  redis_.Restart();
  EXPECT_TRUE(AllEnd(SubmitNoops(1)));
}

// A worker whose machine's clock is set now and then.
class ClockTest : public DaemonTest {
 protected:
  ClockTest() {
    Set(absl::ZeroDuration());
    setenv("LD_PRELOAD", SLIPWAY_CLOCK_SHIFT, 1);
    setenv("SHIFTED_CLOCK", shift_.c_str(), 1);
    worker_ = std::make_unique<WorkerProcess>(Arguments({"--lease", "0.5"}));
    unsetenv("LD_PRELOAD");
    unsetenv("SHIFTED_CLOCK");
  }
  // In place: the process has it mapped.
  void Set(absl::Duration shift) {
    const int64_t seconds = absl::ToInt64Seconds(shift);
    const UniqueFd file(open(shift_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    ASSERT_EQ(pwrite(file.get(), &seconds, sizeof(seconds), 0), static_cast<ssize_t>(sizeof(seconds)));
  }
  static UniqueFd ListenAt(const std::string& address) {
    const std::string path = address.substr(strlen("unix:"));
    sockaddr_un name{AF_UNIX, {}};
    path.copy(name.sun_path, sizeof(name.sun_path) - 1);
    UniqueFd door(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    unlink(path.c_str());
    EXPECT_EQ(bind(door.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)), 0) << path;
    EXPECT_EQ(listen(door.get(), 10), 0);
    return door;
  }
  absl::Time LastSeen() { return (*queue_->ListWorkers())[0].last_seen; }

  const std::filesystem::path shift_ = folder_.path() / "shift";
  std::unique_ptr<WorkerProcess> worker_;
};

TEST_F(ClockTest, SetForwardEndsNoTask) {
  const std::string request = HoldTask(*worker_);
  Set(absl::Hours(2));  // more than --task-timeout
  const absl::Time before = LastSeen();
  ASSERT_TRUE(Holds([&] { return LastSeen() > before + absl::Milliseconds(500); }));  // some heartbeats
  kill(child_, SIGCONT);
  ASSERT_TRUE(AllEnd(request));
  EXPECT_EQ(Tasks(request)[0].state, TaskState::kPassed);
  EXPECT_EQ(Tasks(request)[0].attempts, 1);
}

TEST_F(ClockTest, SetBackWhileRedisIsAwayHoldsNothingUp) {
  ASSERT_TRUE(AllEnd(SubmitNoops(1)));
  redis_.Stop();
  {
    // In its place: whoever comes is sent away. While nobody does, all pause until they try again, and the clock goes back.
    const UniqueFd door = ListenAt(redis_.address());
    int callers = 0, hours = 0;
    const auto called = [&] {
      pollfd wait{door.get(), POLLIN, 0};
      if (poll(&wait, 1, 20) == 1) {
        callers += UniqueFd(accept4(door.get(), nullptr, nullptr, SOCK_CLOEXEC)).valid();
      } else {
        Set(-absl::Hours(++hours));
      }
      return callers >= 10 && hours >= 10;
    };
    ASSERT_TRUE(Holds(called)) << "after " << callers << " calls nobody tries again";
  }
  redis_.Restart();
  EXPECT_TRUE(AllEnd(SubmitNoops(1)));
}

TEST_F(DaemonTest, WaitsForRedisUntilToldToEnd) {
  redis_.Stop();
  WorkerProcess worker(Arguments(), /*await_ready=*/false);
  EXPECT_FALSE(EndsWithin(worker.pid(), absl::Milliseconds(300)));
  worker.Signal(SIGTERM);
  EXPECT_EQ(worker.Exit(), 0) << worker.output();
  EXPECT_TRUE(ScratchIsEmpty());
}

// A worker whose store's mount is missing finds an empty folder in its place; what it stored there nobody would find.
class MountTest : public DaemonTest {
 protected:
  // As a coordinator does when the farm first starts.
  void Claim() {
    ASSERT_TRUE(store_->Bind(*queue_->FarmId()).ok());
    ASSERT_TRUE(queue_->NoteStore("what is mounted there").ok());
  }
  const std::filesystem::path mount_ = folder_.path() / "store", away_ = folder_.path() / "away";
};

TEST_F(MountTest, AWorkerWaitsForItsStoresMount) {
  Claim();
  const std::string request = SubmitNoops(1);
  std::filesystem::rename(mount_, away_);
  WorkerProcess worker(Arguments(), /*await_ready=*/false);
  ASSERT_TRUE(worker.Says("the farm's store is not there yet")) << worker.output();
  EXPECT_TRUE(worker.Says("is its mount missing?")) << worker.output();
  EXPECT_THAT(worker.output(), HasSubstr(mount_.string()));
  EXPECT_TRUE(queue_->ListWorkers()->empty());
  std::filesystem::remove_all(mount_);
  std::filesystem::rename(away_, mount_);
  EXPECT_TRUE(AllEnd(request));
  worker.Signal(SIGTERM);
  EXPECT_EQ(worker.Exit(), 0) << worker.output();
}

TEST_F(MountTest, AWorkerThatWaitsForItEndsWhenTold) {
  Claim();
  std::filesystem::rename(mount_, away_);
  WorkerProcess worker(Arguments(), /*await_ready=*/false);
  ASSERT_TRUE(worker.Says("the farm's store is not there yet")) << worker.output();
  worker.Signal(SIGTERM);
  EXPECT_EQ(worker.Exit(), 0) << worker.output();
}

TEST_F(MountTest, AWorkerTakesNoOtherFarmsStore) {
  Claim();
  ASSERT_TRUE(store_->Bind("another").ok());
  WorkerProcess worker(Arguments(), /*await_ready=*/false);
  ASSERT_TRUE(worker.Says("is farm another's, not " + *queue_->FarmId())) << worker.output();
  EXPECT_THAT(worker.output(), HasSubstr("--adopt-store"));
  const std::string request = SubmitNoops(1);
  EXPECT_EQ(Tasks(request)[0].attempts, 0);
  EXPECT_TRUE(queue_->ListWorkers()->empty());
  ASSERT_TRUE(store_->Bind(*queue_->FarmId()).ok());  // as a coordinator does with that flag
  EXPECT_TRUE(AllEnd(request));
}

// Of the many moments of a first start: nothing is bound yet, only the queue has an id, or the store has, but nobody has noted it.
TEST_F(MountTest, NoFirstStartIsHeldUp) {
  WorkerProcess(Arguments()).Signal(SIGTERM);
  const std::string farm = *queue_->FarmId();
  WorkerProcess(Arguments()).Signal(SIGTERM);
  ASSERT_TRUE(store_->Bind(farm).ok());
  WorkerProcess(Arguments()).Signal(SIGTERM);
  ASSERT_TRUE(queue_->NoteStore(store_->FileSystem()).ok());
  WorkerProcess(Arguments()).Signal(SIGTERM);
  std::filesystem::remove_all(mount_);  // and another one where the first was
  WorkerProcess(Arguments()).Signal(SIGTERM);
}

TEST_F(DaemonTest, SaysWhichRuntimesItsInterpreterLacks) {
  WorkerProcess worker({"--redis", redis_.address(), "--store", (folder_.path() / "store").string(), "--scratch",
                        folder_.path().string(), "--python", "/none/bin/python"},
                       /*await_ready=*/true);
  worker.Signal(SIGTERM);
  EXPECT_EQ(worker.Exit(), 0) << worker.output();
  EXPECT_THAT(worker.output(), HasSubstr("missing=onnxruntime,litert,ncnn python=/none/bin/python"));
}

TEST_F(DaemonTest, SaysWhatIsWrongWithItsArguments) {
  WorkerProcess without({}, /*await_ready=*/false);
  EXPECT_EQ(without.Exit(), 2);
  EXPECT_THAT(without.output(), HasSubstr("--redis"));
  WorkerProcess help({"--help"}, /*await_ready=*/false);
  EXPECT_EQ(help.Exit(), 0);
  EXPECT_THAT(help.output(), HasSubstr("Examples:"));
  WorkerProcess store({"--redis", redis_.address(), "--store", "/proc/nowhere", "--scratch", folder_.path().string()},
                      false);
  EXPECT_EQ(store.Exit(), 5);
  EXPECT_THAT(store.output(), HasSubstr("--store: mkdir /proc/nowhere"));
  WorkerProcess scratch(
      {"--redis", redis_.address(), "--store", (folder_.path() / "store").string(), "--scratch", "/proc"}, false);
  EXPECT_EQ(scratch.Exit(), 5);
  EXPECT_THAT(scratch.output(), HasSubstr("--scratch: make /proc/"));
  const struct {
    const char* flag;
    std::vector<const char*> values;
  } wrong[] = {{"--lease", {"nan", "0.001", "1e300"}},
               {"--task-timeout", {"0", "nan", "1e300"}},
               {"--judge-timeout", {"-1", "nan"}},
               {"--drain-timeout", {"-1", "nan"}},
               {"--garbage-after", {"nan", "-1"}},
               {"--task-memory", {"1", "-1", "99999999999999999999"}},
               {"--store-cache-bytes", {"-1", "99999999999999999999"}}};
  for (const auto& [flag, values] : wrong) {
    for (const char* value : values) {
      WorkerProcess worker(Arguments({fmt::format("{}={}", flag, value)}), false);
      ASSERT_EQ(worker.Exit(), 2) << flag << "=" << value;
      EXPECT_THAT(worker.output(), AllOf(HasSubstr(flag), HasSubstr(" is no number from "))) << value;
    }
  }
}

}  // namespace
}  // namespace slipway
