// What waits and what runs, as metrics, `slipway top` and autoscalers see it.
#include "tests/common/queue_fixture.h"

namespace slipway {
namespace {

class DepthTest : public QueueTest {
 protected:
  QueueDepth Depth() const { return queue_->Depth().value(); }
  void ExpectDepth(uint64_t open, uint64_t ready, uint64_t running, uint64_t delayed) const {
    const QueueDepth depth = Depth();
    EXPECT_EQ(depth.open, open);
    EXPECT_EQ(depth.ready(), ready);
    EXPECT_EQ(depth.running, running);
    EXPECT_EQ(depth.delayed, delayed);
  }
};

TEST_F(DepthTest, FollowsTasksThroughTheirStates) {
  ExpectDepth(0, 0, 0, 0);
  EXPECT_TRUE(Depth().classes.empty());
  Submit(PreparedRequest("a", 3));
  ExpectDepth(4, 1, 0, 0);  // three blocked
  const LeasedTask prepare = *Lease();
  ExpectDepth(4, 0, 1, 0);
  Commit(prepare);
  ExpectDepth(3, 3, 0, 0);
  const LeasedTask cell = *Lease();
  Return(cell, absl::Hours(1), true);
  ExpectDepth(3, 2, 0, 1);
  Commit(*Lease(), TaskState::kFailed, "", "why");
  ExpectDepth(2, 1, 0, 1);
  EXPECT_EQ(queue_->Retry("0-a").value(), 1u);
  ExpectDepth(3, 2, 0, 1);
  EXPECT_TRUE(queue_->Cancel("0-a").ok());
  ExpectDepth(0, 0, 0, 0);
  EXPECT_TRUE(queue_->Cancel("0-a").ok());  // once more changes nothing
  EXPECT_TRUE(queue_->Delete("0-a").ok());
  ExpectDepth(0, 0, 0, 0);
}

TEST_F(DepthTest, TellsClassesAndTenantsApart) {
  QueuedRequest big = Request("big", 5);
  for (QueuedTask& task : big.tasks) task.task_class = "any+8g";
  Submit(big);
  for (const char* name : {"x", "y"}) {
    QueuedRequest request = Request(name, 2);
    request.tenant = std::string("tenant-") + name;
    Submit(request);
  }
  const QueueDepth depth = Depth();
  EXPECT_EQ(depth.open, 9u);
  ASSERT_EQ(depth.classes.size(), 2u);  // also the one that no worker has ever asked for
  EXPECT_EQ(depth.classes.at("any").ready, 4u);
  EXPECT_EQ(depth.classes.at("any+8g").ready, 5u);
}

TEST_F(DepthTest, TellsTheAgeOfTheOldestRequest) {
  Submit(Request("old"));
  Submit(Request("new"));
  const int64_t created = absl::ToUnixMillis(absl::Now() - absl::Minutes(5));
  Rewrite("0-old", "ab", "\n[0-9]{13}\n", "\n" + std::to_string(created) + "\n");
  const absl::Duration oldest = Depth().classes.at("any").oldest;
  EXPECT_GE(oldest, absl::Minutes(5) - absl::Seconds(1));
  EXPECT_LT(oldest, absl::Minutes(6));
  EXPECT_EQ(Commit(*Lease()), CommitOutcome::kCommitted);
  EXPECT_EQ(Commit(*Lease()), CommitOutcome::kCommitted);
  EXPECT_EQ(Depth().classes.at("any").oldest, absl::ZeroDuration());
}

// Of a very large backlog it looks at a part: Redis must not stand still for a scrape.
TEST_F(DepthTest, LooksAtNoMoreThanItIsAllowedTo) {
  for (int i = 0; i < 5; ++i) Submit(Request("r" + std::to_string(i), 2));
  const absl::StatusOr<Reply> reply =
      Open()->Run(FindScript("depth"), std::vector<std::string>{Key("meta"), "3"}, absl::Now() + absl::Seconds(5));
  const auto elements = Elements(reply.value().get());
  ASSERT_EQ(elements.size(), 6u);
  EXPECT_EQ(Number(elements[0]), 10);  // open is counted, not looked for
  EXPECT_EQ(Number(elements[4]), 6);
}

}  // namespace
}  // namespace slipway
