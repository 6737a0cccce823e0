// Requests of few tasks are looked through, those of many have indexes of their own in Redis: what holds is the same, on both sides of
// the border and far from it.
#include "tests/common/queue_fixture.h"

namespace slipway {
namespace {

using ::testing::ElementsAre;

class SizeTest : public QueueTest, public ::testing::WithParamInterface<int> {
 protected:
  int tasks() const { return GetParam(); }
  int last() const { return tasks() - 1; }
  uint64_t Ready() { return queue_->Depth().value().classes["any"].ready; }
  std::vector<std::string> Keys(const std::string& pattern) {
    const Reply reply = Redis({"KEYS", "*:" + pattern});
    std::vector<std::string> keys;
    for (const redisReply* key : Elements(reply.get())) keys.emplace_back(Text(key));
    return keys;
  }
};

INSTANTIATE_TEST_SUITE_P(Tasks, SizeTest, ::testing::Values(4, 16, 17, 60));

TEST_P(SizeTest, TasksAreServedByIndexAndThoseThatCameBackFirst) {
  Submit(Request("a", tasks()));
  EXPECT_EQ(Ready(), tasks());
  const LeasedTask first = *Lease(), second = *Lease();
  EXPECT_EQ(first.index, 0u);
  EXPECT_EQ(second.index, 1u);
  EXPECT_EQ(Return(second, absl::ZeroDuration(), /*counted=*/true), CommitOutcome::kCommitted);
  EXPECT_EQ(Return(first, absl::ZeroDuration(), /*counted=*/false), CommitOutcome::kCommitted);
  EXPECT_EQ(Ready(), tasks());
  std::vector<uint32_t> served;
  while (const auto task = Lease()) served.push_back(task->index);
  ASSERT_EQ(served.size(), tasks());
  EXPECT_THAT(std::vector(served.begin(), served.begin() + 3), ElementsAre(1, 0, 2));
  EXPECT_EQ(served.back(), last());
  EXPECT_EQ(Ready(), 0u);
}

TEST_P(SizeTest, APrepareTaskOpensItsCells) {
  Submit(PreparedRequest("a", last()));
  const LeasedTask prepare = *Lease();
  EXPECT_EQ(prepare.index, 0u);
  EXPECT_FALSE(Lease());
  EXPECT_EQ(Commit(prepare, TaskState::kPassed, "made"), CommitOutcome::kCommitted);
  EXPECT_EQ(Ready(), last());
  for (int i = 1; i <= last(); ++i) {
    const LeasedTask cell = *Lease();
    EXPECT_EQ(cell.index, i);
    EXPECT_EQ(cell.prepare_result, "made");
    EXPECT_EQ(Commit(cell), CommitOutcome::kCommitted);
  }
  EXPECT_EQ(View("0-a").state, RequestState::kDone);
  EXPECT_THAT(Keys("blocked:*"), ElementsAre());
}

TEST_P(SizeTest, CellsFailWithTheirPrepareTaskAndARetryOpensThemAgain) {
  Submit(PreparedRequest("a", last()));
  EXPECT_EQ(Commit(*Lease(), TaskState::kFailed, "", "cannot be read"), CommitOutcome::kCommitted);
  EXPECT_EQ(View("0-a").state, RequestState::kDone);
  EXPECT_EQ(Task("0-a", last()).state, TaskState::kFailed);
  EXPECT_EQ(Task("0-a", last()).reason, "cannot be read");
  EXPECT_EQ(queue_->Retry("0-a").value(), tasks());
  EXPECT_EQ(View("0-a").counts[TaskState::kBlocked], last());
  EXPECT_EQ(Commit(*Lease()), CommitOutcome::kCommitted);
  while (const auto cell = Lease()) EXPECT_EQ(Commit(*cell), CommitOutcome::kCommitted);
  EXPECT_EQ(View("0-a").counts[TaskState::kPassed], tasks());
}

TEST_P(SizeTest, ALateCursorSeesTheChangesInTheirOrder) {
  Submit(Request("a", tasks()));
  const uint64_t submitted = View("0-a").version;
  const LeasedTask first = *Lease(), second = *Lease();
  Commit(first);
  std::vector<uint32_t> changed;
  uint64_t version = submitted;
  const std::vector<TaskView> changes = queue_->ListTasks("0-a", submitted, 100).value();
  for (const TaskView& task : changes) {
    changed.push_back(task.index);
    EXPECT_GT(task.version, version);
    version = task.version;
  }
  EXPECT_THAT(changed, ElementsAre(1, 0));
  const std::vector<TaskView> page = queue_->ListTasks("0-a", submitted, 1).value();
  ASSERT_EQ(page.size(), 1u);
  EXPECT_EQ(page[0].index, 1u);
  EXPECT_THAT(queue_->ListTasks("0-a", version, 100).value(), ::testing::IsEmpty());
  EXPECT_EQ(queue_->ListTasks("0-a", 0, 100'000).value().size(), tasks());
}

TEST_P(SizeTest, CancelEndsAllAndADeletedOneLeavesNothing) {
  QueuedRequest request = PreparedRequest("a", last());
  request.idempotency_key = "key";
  request.sharing = QueuedRequest::Sharing::kJoin;
  Submit(request);
  const LeasedTask task = *Lease();
  ASSERT_TRUE(queue_->Cancel("0-a").ok());
  EXPECT_EQ(Commit(task), CommitOutcome::kCancelled);
  EXPECT_EQ(View("0-a").counts[TaskState::kCancelled], tasks());
  EXPECT_FALSE(Lease());
  ASSERT_TRUE(queue_->Delete("0-a").ok());
  EXPECT_THAT(Keys("*0-a*"), ElementsAre());
  EXPECT_THAT(Keys("idempotency:*"), ElementsAre());
  EXPECT_THAT(Keys("shared:*"), ElementsAre());
  EXPECT_THAT(Keys("tenant*"), ElementsAre());
  EXPECT_EQ(queue_->Depth().value().open, 0u);
}

// Each kind of work has its own place in the turns, in one request.
TEST_P(SizeTest, ClassesAreServedApart) {
  QueuedRequest request = Request("a", tasks());
  for (int i = 1; i < tasks(); i += 2) request.tasks[i].task_class = "litert";
  Submit(request);
  EXPECT_EQ(queue_->Depth().value().classes["litert"].ready, tasks() / 2);
  for (int i = 0; i < tasks(); i += 2) EXPECT_EQ(Lease()->index, i);
  EXPECT_FALSE(Lease());
  const auto other = queue_->Lease({.worker = "w2", .token = "other", .classes = {"litert"}}).value();
  EXPECT_EQ(other->index, 1u);
}

// What a worker asks for along with a commit may be what that commit opens.
TEST_P(SizeTest, ACommitBringsAlongWhatItOpened) {
  Submit(PreparedRequest("a", last()));
  const LeasedTask prepare = *Lease();
  CommittedAndLeased both = queue_->CommitAndLease({.request = "0-a", .index = 0, .token = prepare.token},
                                                   {.worker = "w1", .token = "t1", .classes = {"any"}});
  EXPECT_EQ(both.committed.value(), CommitOutcome::kCommitted);
  ASSERT_TRUE(both.leased.value());
  EXPECT_EQ((*both.leased)->index, 1u);
  for (int i = 1; i <= last(); ++i) {
    both =
        queue_->CommitAndLease({.request = "0-a", .index = static_cast<uint32_t>(i), .token = "t" + std::to_string(i)},
                               {.worker = "w1", .token = "t" + std::to_string(i + 1), .classes = {"any"}});
    EXPECT_EQ(both.committed.value(), CommitOutcome::kCommitted);
    EXPECT_EQ(both.leased.value().has_value(), i < last());
  }
  EXPECT_EQ(View("0-a").state, RequestState::kDone);
  EXPECT_EQ(View("0-a").open, 0u);
  EXPECT_EQ(queue_->Depth().value().open, 0u);
  EXPECT_EQ(Number(Redis({"ZCARD", Key("ended")}).get()), 1);
}

}  // namespace
}  // namespace slipway
