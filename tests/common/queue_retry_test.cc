// Attempts that failed: where and how a task goes on, what is kept of them, and requests opened again, ended in time or deleted.
#include <algorithm>

#include "tests/common/queue_fixture.h"

namespace slipway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

class RetryTest : public QueueTest {
 protected:
  void SignOn(const std::string& worker, const std::vector<std::string>& classes = {"any"}) {
    EXPECT_TRUE(queue_->Heartbeat({.id = worker, .classes = classes, .last_seen = {}}, {}).ok());
  }
  std::optional<LeasedTask> LeaseBy(const std::string& worker) { return Lease(RandomHex(16), worker); }
  void Crash(const LeasedTask& task) {
    TaskReturn how{.killed = true, .elsewhere = absl::Minutes(1), .reason = "SIGSEGV"};
    EXPECT_EQ(queue_->Return(task, how).value(), CommitOutcome::kCommitted);
    EXPECT_EQ(queue_->Return(task, how).value(), CommitOutcome::kAlready);
  }
  void ExpectNoKeyOf(const std::string& request) {
    Reply keys = Redis({"KEYS", "*" + request + "*"});
    EXPECT_THAT(Elements(keys.get()), SizeIs(0));
  }
};

TEST_F(RetryTest, ACrashedTaskGoesToAnotherWorker) {
  SignOn("w1");
  SignOn("w2");
  Submit(Request("a", 2));
  LeasedTask task = *LeaseBy("w1");
  EXPECT_EQ(task.kills, 0);
  Crash(task);
  EXPECT_EQ(LeaseBy("w1")->index, 1u);  // the next one, not the same again
  EXPECT_FALSE(LeaseBy("w1"));
  LeasedTask elsewhere = *LeaseBy("w2");
  EXPECT_EQ(elsewhere.index, 0u);
  EXPECT_EQ(elsewhere.attempt, 2);
  EXPECT_EQ(elsewhere.kills, 1);
  EXPECT_EQ(Maintain(), 0);
  EXPECT_EQ(Number(Redis({"EXISTS", Key("delayed"), Key("elsewhere:any")}).get()), 0);
  EXPECT_EQ(Commit(task), CommitOutcome::kFenced);
  EXPECT_EQ(Commit(elsewhere), CommitOutcome::kCommitted);
}

TEST_F(RetryTest, WhenNobodyElseTakesItTheSameWorkerGetsIt) {
  SignOn("w1");
  SignOn("w2");
  Submit(Request("a"));
  Crash(*LeaseBy("w1"));
  EXPECT_FALSE(LeaseBy("w1"));
  Redis({"ZADD", Key("delayed"), "XX", "1", "0:0-a"});  // the time for others is over
  EXPECT_EQ(Maintain(), 1);
  EXPECT_EQ(LeaseBy("w1")->attempt, 2);
  EXPECT_EQ(Number(Redis({"EXISTS", Key("elsewhere:any")}).get()), 0);
}

TEST_F(RetryTest, TheOnlyWorkerGetsItAtOnce) {
  SignOn("w1");
  SignOn("w2");
  EXPECT_TRUE(queue_->RemoveWorker("w2").ok());
  Submit(Request("a"));
  Crash(*LeaseBy("w1"));
  EXPECT_EQ(LeaseBy("w1")->kills, 1);
}

TEST_F(RetryTest, ATaskThatKilledThreeTimesIsIsolated) {
  QueueOptions options = Options();
  options.max_attempts = 100;
  queue_ = ConnectQueue(options).value();
  Submit(Request("a"));
  for (int i = 0; i < 3; ++i) Crash(*LeaseBy("w1"));
  TaskView task = Task("0-a", 0);
  EXPECT_EQ(task.state, TaskState::kFailed);
  EXPECT_THAT(task.reason, HasSubstr("isolated after killing 3 processes: SIGSEGV"));
  EXPECT_FALSE(LeaseBy("w2"));
}

TEST_F(RetryTest, OutOfMemoryGoesToTheNextLargerClassThereIs) {
  SignOn("w1", {"any", "gpu+2g"});
  SignOn("w2", {"any+16g", "any+8g", "any"});
  Submit(Request("a"));
  LeasedTask task = *LeaseBy("w1");
  auto grow = [&](const LeasedTask& from) {
    return queue_->Return(from, {.killed = false, .more_memory = true, .reason = "out of memory"}).value();
  };
  EXPECT_EQ(grow(task), CommitOutcome::kCommitted);
  EXPECT_FALSE(LeaseBy("w1"));
  auto lease = [&](const std::string& task_class) {
    return queue_->Lease({.worker = "w2", .token = RandomHex(16), .classes = {task_class}}).value();
  };
  EXPECT_FALSE(lease("any+16g"));
  task = *lease("any+8g");
  EXPECT_EQ(grow(task), CommitOutcome::kCommitted);
  task = *lease("any+16g");
  EXPECT_EQ(grow(task), CommitOutcome::kCommitted);  // the third attempt
  EXPECT_EQ(StateOf("0-a", 0), TaskState::kFailed);
  EXPECT_EQ(queue_->Retry("0-a").value(), 1u);
  EXPECT_TRUE(queue_->Cancel("0-a").ok());
  EXPECT_EQ(Number(Redis({"EXISTS", Key("ready:any+16g:0-a"), Key("flows:any+16g:default")}).get()), 0);
}

TEST_F(RetryTest, WithoutALargerClassItStaysInItsOwn) {
  SignOn("w1");
  Submit(Request("a"));
  EXPECT_EQ(queue_->Return(*LeaseBy("w1"), {.more_memory = true, .reason = "out of memory"}).value(),
            CommitOutcome::kCommitted);
  EXPECT_EQ(LeaseBy("w1")->attempt, 2);
}

TEST_F(RetryTest, AClassThatOnlyALostWorkerOfferedIsNoLargerOne) {
  SignOn("w1");
  SignOn("w2", {"any+8g"});
  Redis({"ZADD", Key("seen"), "1", "w2"});  // not heard of for years
  Submit(Request("a"));
  queue_->Return(*LeaseBy("w1"), {.more_memory = true, .reason = "out of memory"}).value();
  EXPECT_EQ(Task("0-a", 0).task_class, "any");
  SignOn("w2", {"any+8g"});
  queue_->Return(*LeaseBy("w1"), {.more_memory = true, .reason = "out of memory"}).value();
  EXPECT_EQ(Task("0-a", 0).task_class, "any+8g");
}

TEST_F(RetryTest, CancelReachesATaskThatWaitsForAnotherWorker) {
  SignOn("w1");
  SignOn("w2");
  Submit(Request("a"));
  Crash(*LeaseBy("w1"));
  EXPECT_TRUE(queue_->Cancel("0-a").ok());
  EXPECT_FALSE(LeaseBy("w2"));
  EXPECT_EQ(Number(Redis({"EXISTS", Key("delayed"), Key("elsewhere:any")}).get()), 0);
}

TEST_F(RetryTest, TheReasonsOfAllAttemptsAreKept) {
  Submit(Request("a", 2));
  Return(*LeaseBy("w1"), absl::ZeroDuration(), true, "no space");
  Maintain();
  ASSERT_TRUE(Lease("token-2", "w2"));
  ExpireLease("token-2");
  Maintain();
  Commit(*LeaseBy("w3"), TaskState::kFailed, "", "the model is damaged");
  EXPECT_THAT(Task("0-a", 0).attempt_reasons,
              ElementsAre("attempt 1 on w1: no space", "attempt 2 on w2: worker w2 lost its lease",
                          "attempt 3 on w3: the model is damaged"));
  EXPECT_EQ(Task("0-a", 0).reason, "the model is damaged");
  EXPECT_THAT(Task("0-a", 1).attempt_reasons, IsEmpty());
}

TEST_F(RetryTest, KeptReasonsAreBoundedAndWholeUtf8) {
  Submit(Request("a"));
  std::string reason;
  for (int i = 0; i < 200; ++i) reason += "é";
  for (int i = 0; i < 20; ++i) Return(*LeaseBy("w1"), absl::ZeroDuration(), false, reason + std::to_string(i));
  std::vector<std::string> reasons = Task("0-a", 0).attempt_reasons;
  ASSERT_THAT(reasons, SizeIs(8));
  // 160 bytes leave 157 for whole two-byte letters and the dots.
  std::string cut;
  for (int i = 0; i < 78; ++i) cut += "é";
  EXPECT_EQ(reasons[0], "attempt 1 on w1: " + cut + "...");
}

TEST_F(RetryTest, RetryOpensWhatFailedAgainAndNothingElse) {
  Submit(Request("a", 3));
  LeasedTask passed = *Lease(), failed = *Lease(), lost = *Lease();
  Commit(passed, TaskState::kPassed, "result");
  Commit(failed, TaskState::kFailed, "", "disk full");
  Commit(lost, TaskState::kParityFailed, "r", "differs");
  ASSERT_EQ(View("0-a").state, RequestState::kDone);
  EXPECT_EQ(queue_->Retry("0-a").value(), 1u);
  EXPECT_EQ(View("0-a").state, RequestState::kActive);
  EXPECT_EQ(View("0-a").open, 1u);
  EXPECT_EQ(Task("0-a", 0).result, "result");
  EXPECT_EQ(Task("0-a", 1).reason, "");
  EXPECT_EQ(StateOf("0-a", 2), TaskState::kParityFailed);
  EXPECT_EQ(Number(Redis({"EXISTS", Key("ended")}).get()), 0);
  EXPECT_EQ(Commit(failed), CommitOutcome::kFenced);
  LeasedTask again = *Lease();
  EXPECT_EQ(again.index, failed.index);
  EXPECT_EQ(again.attempt, 1);
  Commit(again);
  EXPECT_EQ(View("0-a").state, RequestState::kDone);
  EXPECT_EQ(queue_->Retry("0-a").value(), 0u);
  EXPECT_EQ(View("0-a").state, RequestState::kDone);
  EXPECT_EQ(queue_->Retry("0-nothing").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(RetryTest, RetryOfAFailedPrepareBlocksItsCellsAgain) {
  Submit(PreparedRequest("a", 2));
  Commit(*Lease(), TaskState::kFailed, "", "no such file");
  EXPECT_EQ(queue_->Retry("0-a").value(), 3u);
  EXPECT_THAT(View("0-a").counts, ElementsAre(Pair(TaskState::kBlocked, 2), Pair(TaskState::kReady, 1)));
  Commit(*Lease(), TaskState::kPassed, "bundle");
  LeasedTask cell = *Lease();
  EXPECT_EQ(cell.prepare_result, "bundle");
  Commit(cell, TaskState::kFailed, "", "why");
  Commit(*Lease());
  EXPECT_EQ(queue_->Retry("0-a").value(), 1u);  // the prepare task passed: its cell is ready at once
  EXPECT_EQ(Lease()->prepare_result, "bundle");
}

TEST_F(RetryTest, RetryOpensLargeCancelledRequestsWhole) {
  Submit(PreparedRequest("a", 2500));
  EXPECT_TRUE(queue_->Cancel("0-a").ok());
  EXPECT_EQ(queue_->Retry("0-a").value(), 2501u);
  EXPECT_THAT(View("0-a").counts, ElementsAre(Pair(TaskState::kBlocked, 2500), Pair(TaskState::kReady, 1)));
  Commit(*Lease(), TaskState::kPassed, "bundle");
  int served = 0;
  while (std::optional<LeasedTask> task = Lease()) {
    Commit(*task);
    ++served;
  }
  EXPECT_EQ(served, 2500);
  EXPECT_EQ(View("0-a").state, RequestState::kDone);
}

// A reply that was lost is asked for again with the same token: what failed once more meanwhile is left alone.
TEST_F(RetryTest, ARepeatedRetryOpensNothingTwice) {
  Submit(Request("a"));
  Commit(*Lease(), TaskState::kFailed);
  auto retry = [&](const std::string& token) {
    Reply reply = Open()
                      ->Run(FindScript("retry"), std::vector<std::string>{Key("meta"), "0-a", token, "10"},
                            absl::Now() + absl::Seconds(5))
                      .value();
    return Number(Elements(reply.get())[1]);
  };
  EXPECT_EQ(retry("t1"), 1);
  Commit(*Lease(), TaskState::kFailed);
  EXPECT_EQ(retry("t1"), 1);
  EXPECT_EQ(StateOf("0-a", 0), TaskState::kFailed);
  EXPECT_EQ(retry("t2"), 1);
  EXPECT_EQ(StateOf("0-a", 0), TaskState::kReady);
}

TEST_F(RetryTest, DeleteForgetsAnEndedRequestOnly) {
  QueuedRequest request = PreparedRequest("a", 1);
  request.idempotency_key = "key";
  Submit(request);
  Return(*Lease(), absl::ZeroDuration(), true);
  absl::Status open = queue_->Delete("0-a");
  EXPECT_EQ(open.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(open), HasSubstr("cancel it first"));
  Commit(*Lease());
  Commit(*Lease());
  EXPECT_TRUE(queue_->Delete("0-a").ok());
  EXPECT_EQ(queue_->GetRequest("0-a").status().code(), absl::StatusCode::kNotFound);
  ExpectNoKeyOf("0-a");
  EXPECT_EQ(Number(Redis({"EXISTS", Key("idempotency:default:key"), Key("tenant:default"), Key("ended")}).get()), 0);
  EXPECT_TRUE(queue_->Delete("0-a").ok());
}

TEST_F(RetryTest, APassedDeadlineCancelsWhatHasNotEnded) {
  QueuedRequest request = Request("a", 3);
  request.timeout = absl::Seconds(90);
  SignOn("w1");
  Submit(request);
  Submit(Request("without"));
  Maintain();
  Commit(*Lease());
  LeasedTask running = *Lease();
  EXPECT_EQ(Lease()->request, "0-without");
  EXPECT_EQ(Maintain(), 0);
  EXPECT_EQ(View("0-a").open, 2u);
  Redis({"ZADD", Key("deadlines"), "XX", "1", "0-a"});
  Maintain();
  EXPECT_THAT(View("0-a").counts, ElementsAre(Pair(TaskState::kPassed, 1), Pair(TaskState::kCancelled, 2)));
  EXPECT_EQ(Task("0-a", 2).reason, "cancelled: not finished within its timeout of 90 s");
  EXPECT_EQ(Commit(running), CommitOutcome::kCancelled);
  EXPECT_THAT(queue_->Heartbeat({.id = "w1", .last_seen = {}}, {running.token}).value(), ElementsAre(running.token));
  EXPECT_EQ(Number(Redis({"EXISTS", Key("deadlines")}).get()), 0);
  EXPECT_EQ(View("0-without").open, 1u);
}

TEST_F(RetryTest, ADeadlineEndsWithItsRequestAndWithARetry) {
  for (const char* name : {"a", "b"}) {
    QueuedRequest request = Request(name);
    request.timeout = absl::Seconds(90);
    Submit(request);
  }
  Commit(*Lease());
  ASSERT_EQ(Number(Redis({"ZCARD", Key("deadlines")}).get()), 1);
  Redis({"ZADD", Key("deadlines"), "XX", "1", "0-b"});
  Maintain();
  EXPECT_EQ(View("0-b").state, RequestState::kCancelled);
  EXPECT_EQ(queue_->Retry("0-b").value(), 1u);
  Maintain();
  EXPECT_EQ(StateOf("0-b", 0), TaskState::kReady);
  EXPECT_TRUE(queue_->Cancel("0-b").ok());
  EXPECT_EQ(Task("0-b", 0).reason, "cancelled");
}

TEST_F(RetryTest, AFarmOfTheEarlierSchemaIsRefused) {
  for (const std::string earlier : {"1", "2", "3", "4"}) {
    const std::string meta = "{slipway:0}:v" + earlier + ":meta";
    Redis({"HSET", meta, "schema", earlier});
    const absl::Status status = ConnectQueue(Options()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(Message(status), HasSubstr("schema " + earlier + ", this program knows 5"));
    Redis({"DEL", meta});
    EXPECT_TRUE(ConnectQueue(Options()).ok());
  }
}

}  // namespace
}  // namespace slipway
