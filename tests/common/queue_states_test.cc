// Every step between states, and what its repetition does.
#include "tests/common/queue_fixture.h"

namespace slipway {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST_F(QueueTest, ATaskGoesFromReadyOverRunningToPassed) {
  Submit(Request("a"));
  EXPECT_EQ(StateOf("0-a", 0), TaskState::kReady);
  EXPECT_EQ(View("0-a").state, RequestState::kActive);

  std::optional<LeasedTask> task = Lease("token-1", "worker-7");
  ASSERT_TRUE(task);
  EXPECT_EQ(task->request, "0-a");
  EXPECT_EQ(task->index, 0u);
  EXPECT_EQ(task->tenant, "default");
  EXPECT_EQ(task->spec, "spec-a");
  EXPECT_EQ(task->token, "token-1");
  EXPECT_EQ(task->attempt, 1);
  EXPECT_EQ(task->prepare_result, "");
  EXPECT_EQ(StateOf("0-a", 0), TaskState::kRunning);
  EXPECT_EQ(Task("0-a", 0).worker, "worker-7");

  EXPECT_TRUE(queue_->Progress(*task, "converting").ok());
  EXPECT_EQ(Task("0-a", 0).progress, "converting");

  EXPECT_EQ(Commit(*task, TaskState::kPassed, "result-digest"), CommitOutcome::kCommitted);
  TaskView view = Task("0-a", 0);
  EXPECT_EQ(view.state, TaskState::kPassed);
  EXPECT_EQ(view.result, "result-digest");
  EXPECT_EQ(view.progress, "");
  EXPECT_EQ(view.attempts, 1);
  EXPECT_EQ(view.worker, "worker-7");
  RequestView request = View("0-a");
  EXPECT_EQ(request.state, RequestState::kDone);
  EXPECT_EQ(request.open, 0u);
  EXPECT_THAT(request.counts, ElementsAre(Pair(TaskState::kPassed, 1)));
  EXPECT_FALSE(Lease());
}

TEST_F(QueueTest, EveryEndedStateCanBeCommittedAndNoOther) {
  Submit(Request("a", 6));
  for (TaskState state : {TaskState::kPassed, TaskState::kUnverified, TaskState::kParityFailed, TaskState::kFailed,
                          TaskState::kCancelled, TaskState::kSkipped}) {
    LeasedTask task = *Lease();
    EXPECT_EQ(Commit(task, state, "", "because"), CommitOutcome::kCommitted);
    EXPECT_EQ(StateOf("0-a", task.index), state) << Name(state);
    EXPECT_EQ(Task("0-a", task.index).reason, "because");
  }
  EXPECT_EQ(View("0-a").counts.size(), 6u);
  for (TaskState state : {TaskState::kBlocked, TaskState::kReady, TaskState::kDelayed, TaskState::kRunning}) {
    TaskCommit commit{.request = "0-a", .index = 0, .token = "t", .state = state, .result = "", .reason = ""};
    EXPECT_EQ(queue_->Commit(commit).status().code(), absl::StatusCode::kInvalidArgument) << Name(state);
  }
}

TEST_F(QueueTest, ALeaseRepeatedWithItsTokenGivesTheSameTask) {
  Submit(Request("a", 2));
  LeasedTask first = *Lease("token-1");
  LeasedTask again = *Lease("token-1");
  EXPECT_EQ(again.index, first.index);
  EXPECT_EQ(again.attempt, 1);
  EXPECT_EQ(Task("0-a", first.index).attempts, 1);
  EXPECT_NE(Lease("token-2")->index, first.index);
}

TEST_F(QueueTest, ACommitRepeatedIsAlreadyAndChangesNothing) {
  Submit(Request("a"));
  LeasedTask task = *Lease();
  EXPECT_EQ(Commit(task, TaskState::kPassed, "first"), CommitOutcome::kCommitted);
  uint64_t version = View("0-a").version;
  EXPECT_EQ(Commit(task, TaskState::kFailed, "second"), CommitOutcome::kAlready);
  EXPECT_EQ(Task("0-a", 0).result, "first");
  EXPECT_EQ(View("0-a").version, version);
}

TEST_F(QueueTest, AnotherTokenIsFenced) {
  Submit(Request("a"));
  LeasedTask task = *Lease("token-1");
  LeasedTask thief = task;
  thief.token = "token-2";
  EXPECT_EQ(Commit(thief, TaskState::kFailed, "", "stolen"), CommitOutcome::kFenced);
  EXPECT_EQ(Return(thief, absl::ZeroDuration(), true), CommitOutcome::kFenced);
  EXPECT_TRUE(queue_->Progress(thief, "stealing").ok());
  EXPECT_EQ(Task("0-a", 0).progress, "");
  EXPECT_EQ(StateOf("0-a", 0), TaskState::kRunning);
  EXPECT_EQ(Commit(task), CommitOutcome::kCommitted);
  EXPECT_EQ(Commit(thief), CommitOutcome::kFenced);
  thief.request = "0-unknown";
  EXPECT_EQ(Commit(thief), CommitOutcome::kFenced);
}

TEST_F(QueueTest, ASubmitRepeatedIsOneRequest) {
  QueuedRequest request = Request("a", 3);
  EXPECT_EQ(Submit(request), "0-a");
  EXPECT_EQ(Submit(request), "0-a");
  EXPECT_EQ(View("0-a").tasks, 3u);
  EXPECT_EQ(queue_->ListTasks("0-a", 0, 100).value().size(), 3u);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Lease());
  EXPECT_FALSE(Lease());
  request.request_digest = "of something else";
  EXPECT_EQ(queue_->Submit(request).status().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(QueueTest, AnIdempotencyKeyNamesTheEarlierRequestOfItsTenant) {
  QueuedRequest first = Request("a"), second = Request("b"), other = Request("c"), changed = Request("d");
  first.idempotency_key = second.idempotency_key = other.idempotency_key = changed.idempotency_key = "key 1";
  second.request_digest = other.request_digest = first.request_digest;
  other.tenant = "someone-else";
  EXPECT_EQ(Submit(first), "0-a");
  EXPECT_EQ(Submit(second), "0-a");
  EXPECT_EQ(Submit(other), "0-c");
  EXPECT_EQ(queue_->Submit(changed).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(queue_->GetRequest("0-b").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(QueueTest, PreparePassedOpensItsCellsWithItsResult) {
  Submit(PreparedRequest("a", 3));
  EXPECT_THAT(View("0-a").counts, ElementsAre(Pair(TaskState::kBlocked, 3), Pair(TaskState::kReady, 1)));
  LeasedTask prepare = *Lease();
  EXPECT_EQ(prepare.index, 0u);
  EXPECT_FALSE(Lease());
  Commit(prepare, TaskState::kPassed, "reference-bundle");
  EXPECT_THAT(View("0-a").counts, ElementsAre(Pair(TaskState::kReady, 3), Pair(TaskState::kPassed, 1)));
  for (uint32_t i = 1; i <= 3; ++i) {
    LeasedTask cell = *Lease();
    EXPECT_EQ(cell.index, i);
    EXPECT_EQ(cell.prepare_result, "reference-bundle");
    Commit(cell);
  }
  EXPECT_EQ(View("0-a").state, RequestState::kDone);
}

TEST_F(QueueTest, PrepareUnverifiedOpensItsCells) {
  Submit(PreparedRequest("a", 1));
  Commit(*Lease(), TaskState::kUnverified, "r", "no judge");
  EXPECT_EQ(Lease()->index, 1u);
}

TEST_F(QueueTest, PrepareFailedEndsItsCellsWithItsReason) {
  QueuedRequest request = PreparedRequest("a", 2);
  request.tasks.push_back({.index = 3});                   // another prepare
  request.tasks.push_back({.index = 4, .blocked_by = 3});  // and its cell
  Submit(request);
  Commit(*Lease(), TaskState::kFailed, "", "the file is no model");
  for (uint32_t i = 1; i <= 2; ++i) {
    EXPECT_EQ(StateOf("0-a", i), TaskState::kFailed);
    EXPECT_EQ(Task("0-a", i).reason, "the file is no model");
  }
  EXPECT_EQ(StateOf("0-a", 4), TaskState::kBlocked);
  EXPECT_EQ(View("0-a").open, 2u);
  EXPECT_EQ(View("0-a").state, RequestState::kActive);
  Commit(*Lease());
  Commit(*Lease());
  EXPECT_EQ(View("0-a").state, RequestState::kDone);
}

TEST_F(QueueTest, AReturnedTaskGoesToTheHeadOfItsFlow) {
  Submit(Request("a", 3));
  LeasedTask first = *Lease("token-1");
  EXPECT_EQ(Return(first, absl::ZeroDuration(), true, "out of memory"), CommitOutcome::kCommitted);
  EXPECT_EQ(Return(first, absl::ZeroDuration(), true, "out of memory"), CommitOutcome::kAlready);
  EXPECT_EQ(Commit(first), CommitOutcome::kFenced);
  EXPECT_EQ(Task("0-a", 0).reason, "out of memory");
  LeasedTask again = *Lease("token-2");
  EXPECT_EQ(again.index, 0u);
  EXPECT_EQ(again.attempt, 2);
  EXPECT_EQ(Return(first, absl::ZeroDuration(), true), CommitOutcome::kFenced);
}

TEST_F(QueueTest, AReturnThatDoesNotCountLeavesTheAttempts) {
  Submit(Request("a"));
  for (int i = 0; i < 5; ++i) {
    LeasedTask task = *Lease();
    EXPECT_EQ(task.attempt, 1);
    EXPECT_EQ(Return(task, absl::ZeroDuration(), false, "draining"), CommitOutcome::kCommitted);
  }
}

TEST_F(QueueTest, ADelayedTaskIsPromotedWhenItIsDue) {
  Submit(Request("a", 2));
  LeasedTask task = *Lease();
  Return(task, absl::Hours(1), true);
  EXPECT_EQ(StateOf("0-a", 0), TaskState::kDelayed);
  EXPECT_EQ(Maintain(), 0);
  LeasedTask other = *Lease();
  EXPECT_EQ(other.index, 1u);
  EXPECT_FALSE(Lease());
  Redis({"ZADD", Key("delayed"), "XX", "1", "0:0-a"});
  EXPECT_EQ(Maintain(), 1);
  EXPECT_EQ(StateOf("0-a", 0), TaskState::kReady);
  EXPECT_EQ(Lease()->index, 0u);
}

TEST_F(QueueTest, TheLastAttemptEndsFailedWithTheLastReasonAndSoDoItsCells) {
  Submit(PreparedRequest("a", 1));
  for (int attempt = 1; attempt <= 3; ++attempt) {
    LeasedTask task = *Lease();
    EXPECT_EQ(task.attempt, attempt);
    EXPECT_EQ(Return(task, absl::ZeroDuration(), true, "reason " + std::to_string(attempt)), CommitOutcome::kCommitted);
  }
  EXPECT_EQ(StateOf("0-a", 0), TaskState::kFailed);
  EXPECT_EQ(Task("0-a", 0).reason, "reason 3");
  EXPECT_EQ(StateOf("0-a", 1), TaskState::kFailed);
  EXPECT_EQ(Task("0-a", 1).reason, "reason 3");
  EXPECT_EQ(View("0-a").state, RequestState::kDone);
}

TEST_F(QueueTest, CancelEndsEveryTaskAndTakesTheTokens) {
  Submit(PreparedRequest("a", 3));
  Submit(Request("b", 4));
  // Of b: one ended, one running, one delayed, one ready.
  LeasedTask prepare = *Lease(), ended = *Lease();
  ASSERT_EQ(prepare.request, "0-a");
  ASSERT_EQ(ended.request, "0-b");
  Commit(ended);
  LeasedTask delayed = *Lease(), running = *Lease();
  Return(delayed, absl::Hours(1), true);
  EXPECT_TRUE(queue_->Cancel("0-a").ok());
  EXPECT_TRUE(queue_->Cancel("0-b").ok());
  EXPECT_TRUE(queue_->Cancel("0-b").ok());
  EXPECT_THAT(View("0-a").counts, ElementsAre(Pair(TaskState::kCancelled, 4)));
  EXPECT_THAT(View("0-b").counts, ElementsAre(Pair(TaskState::kPassed, 1), Pair(TaskState::kCancelled, 3)));
  EXPECT_EQ(View("0-a").state, RequestState::kCancelled);
  EXPECT_EQ(View("0-b").open, 0u);
  EXPECT_EQ(Task("0-b", 3).reason, "cancelled");
  EXPECT_FALSE(Lease());

  EXPECT_EQ(Commit(prepare), CommitOutcome::kCancelled);
  EXPECT_EQ(Commit(running), CommitOutcome::kCancelled);
  EXPECT_EQ(Commit(ended), CommitOutcome::kAlready);
  EXPECT_EQ(Return(running, absl::ZeroDuration(), true), CommitOutcome::kCancelled);
  EXPECT_THAT(queue_->Heartbeat({.id = "w1", .last_seen = {}}, {prepare.token, running.token}).value(),
              ElementsAre(prepare.token, running.token));
  EXPECT_EQ(StateOf("0-a", 0), TaskState::kCancelled);
  EXPECT_EQ(Number(Redis({"EXISTS", Key("leases"), Key("tokens"), Key("delayed"), Key("ready:any:0-a"),
                          Key("ready:any:0-b"), Key("flows:any:default"), Key("tenants:any"), Key("blocked:0-a")})
                       .get()),
            0);
}

TEST_F(QueueTest, CancelAfterTheEndChangesNothing) {
  Submit(Request("a"));
  Commit(*Lease());
  EXPECT_TRUE(queue_->Cancel("0-a").ok());
  EXPECT_EQ(View("0-a").state, RequestState::kDone);
  EXPECT_EQ(StateOf("0-a", 0), TaskState::kPassed);
  EXPECT_EQ(queue_->Cancel("0-nothing").code(), absl::StatusCode::kNotFound);
}

TEST_F(QueueTest, CancelMarksLargeRequestsWhole) {
  Submit(Request("a", 5000));
  LeasedTask task = *Lease();
  EXPECT_TRUE(queue_->Cancel("0-a").ok());
  EXPECT_THAT(View("0-a").counts, ElementsAre(Pair(TaskState::kCancelled, 5000)));
  EXPECT_EQ(Commit(task), CommitOutcome::kCancelled);
}

TEST_F(QueueTest, LargeSubmitsAreInvisibleUntilWhole) {
  QueuedRequest request = PreparedRequest("a", 2500);
  Submit(request);
  EXPECT_EQ(View("0-a").state, RequestState::kActive);
  EXPECT_THAT(View("0-a").counts, ElementsAre(Pair(TaskState::kBlocked, 2500), Pair(TaskState::kReady, 1)));
  EXPECT_EQ(queue_->ListTasks("0-a", 0, 10'000).value().size(), 2501u);
  Submit(request);  // a repetition
  Commit(*Lease());
  EXPECT_EQ(View("0-a").counts[TaskState::kReady], 2500u);
}

TEST_F(QueueTest, WorkersAreListedByTheirHeartbeats) {
  WorkerView worker{.id = "w1",
                    .host = "host-1",
                    .version = "0.1.0",
                    .slots = 4,
                    .busy = 2,
                    .classes = {"any", "big"},
                    .memory_bytes = 5'000'000'000,
                    .task_memory_bytes = 7'000'000'000,
                    .last_seen = {}};
  EXPECT_THAT(queue_->Heartbeat(worker, {}).value(), IsEmpty());
  worker.id = "w2";
  EXPECT_TRUE(queue_->Heartbeat(worker, {}).ok());
  std::vector<WorkerView> workers = queue_->ListWorkers().value();
  ASSERT_EQ(workers.size(), 2u);
  EXPECT_EQ(workers[0].id, "w1");
  EXPECT_EQ(workers[0].host, "host-1");
  EXPECT_EQ(workers[0].version, "0.1.0");
  EXPECT_EQ(workers[0].slots, 4);
  EXPECT_EQ(workers[0].busy, 2);
  EXPECT_THAT(workers[0].classes, ElementsAre("any", "big"));
  EXPECT_EQ(workers[0].memory_bytes, 5'000'000'000u);
  EXPECT_EQ(workers[0].task_memory_bytes, 7'000'000'000u);
  EXPECT_GT(workers[0].last_seen, absl::UnixEpoch());
  EXPECT_LT(workers[0].silent, absl::Minutes(1));
  std::string record(Text(Redis({"HGET", Key("workers"), "w1"}).get()));
  record.replace(0, record.find('\n'), std::to_string(absl::ToUnixMillis(workers[0].last_seen - absl::Hours(1))));
  Redis({"HSET", Key("workers"), "w1", record});
  EXPECT_GE(queue_->ListWorkers().value()[0].silent, absl::Minutes(59));
  EXPECT_TRUE(queue_->RemoveWorker("w1").ok());
  Redis({"ZADD", Key("seen"), "1", "w2"});  // not seen for years
  Maintain();
  EXPECT_THAT(queue_->ListWorkers().value(), IsEmpty());
}

TEST_F(QueueTest, ImpossibleRequestsAreRefusedAndLeaveNothing) {
  auto refused = [&](auto change) {
    QueuedRequest request = PreparedRequest("a", 2);
    change(request);
    return queue_->Submit(request).status().code() == absl::StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused([](QueuedRequest& r) { r.id = "1-othershard"; }));
  EXPECT_TRUE(refused([](QueuedRequest& r) { r.id = "0-a:b"; }));
  EXPECT_TRUE(refused([](QueuedRequest& r) { r.tenant = ""; }));
  EXPECT_TRUE(refused([](QueuedRequest& r) { r.tenant = "a:b"; }));
  EXPECT_TRUE(refused([](QueuedRequest& r) { r.idempotency_key = "two\nlines"; }));
  EXPECT_TRUE(refused([](QueuedRequest& r) { r.priority = 101; }));
  EXPECT_TRUE(refused([](QueuedRequest& r) { r.tasks.clear(); }));
  EXPECT_TRUE(refused([](QueuedRequest& r) { r.tasks[1].index = 2; }));
  EXPECT_TRUE(refused([](QueuedRequest& r) { r.tasks[1].task_class = "no class"; }));
  EXPECT_TRUE(refused([](QueuedRequest& r) { r.tasks[1].cost = 0; }));
  EXPECT_TRUE(refused([](QueuedRequest& r) { r.tasks[1].blocked_by = 3; }));
  EXPECT_TRUE(refused([](QueuedRequest& r) { r.tasks[1].blocked_by = 2; }));
  EXPECT_EQ(queue_->GetRequest("0-a").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(queue_->ListTasks("0-a", 0, 1).status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(Lease());
}

}  // namespace
}  // namespace slipway
