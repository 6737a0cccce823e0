// Equal requests that stand for each other: who joins, who leaves, and what those who wait want together.
#include "tests/common/queue_fixture.h"

namespace slipway {
namespace {

using ::testing::SizeIs;
using Sharing = QueuedRequest::Sharing;

class ShareTest : public QueueTest {
 protected:
  // Requests of the same `what` are equal; `key` is who asks.
  static QueuedRequest Shared(const std::string& what, const std::string& key, int tasks = 1) {
    QueuedRequest request = Request("by-" + key, tasks);
    request.request_digest = request.spec = "digest-" + what;
    request.idempotency_key = key;
    request.sharing = Sharing::kJoin;
    return request;
  }
  bool Leave(const std::string& request, const std::string& key) { return queue_->Leave(request, key).value(); }
  bool HasDeadline(const std::string& request) { return !IsNil(Redis({"ZSCORE", Key("deadlines"), request}).get()); }
  size_t Keys(const std::string& pattern) { return Elements(Redis({"KEYS", pattern}).get()).size(); }
};

TEST_F(ShareTest, AnEqualRequestIsJoinedWhileItIsOpen) {
  const std::string first = Submit(Shared("x", "k1", 2));
  EXPECT_EQ(Submit(Shared("x", "k2", 2)), first);
  EXPECT_EQ(Submit(Shared("x", "k2", 2)), first);  // a repetition
  QueuedRequest nameless = Shared("x", "k3", 2);
  nameless.idempotency_key.clear();
  EXPECT_EQ(Submit(nameless), first);
  EXPECT_EQ(View(first).waiters, 3u);
  EXPECT_EQ(queue_->FindEqual("default", "digest-x").value()->id, first);
  EXPECT_EQ(queue_->ListRequests("default", 10, "").value().first.size(), 1u);

  QueuedRequest alone = Shared("x", "k4", 2);
  alone.sharing = Sharing::kAlone;
  QueuedRequest stranger = Shared("x", "k5", 2);
  stranger.tenant = "other";
  for (const QueuedRequest& own : {Shared("y", "k6"), alone, stranger}) EXPECT_EQ(Submit(own), own.id);
  EXPECT_EQ(View(first).waiters, 3u);
}

TEST_F(ShareTest, AFreshOneTakesItsPlace) {
  const std::string first = Submit(Shared("x", "k1"));
  QueuedRequest fresh = Shared("x", "k2");
  fresh.sharing = Sharing::kFresh;
  EXPECT_EQ(Submit(fresh), fresh.id);
  EXPECT_EQ(Submit(Shared("x", "k3")), fresh.id);
  EXPECT_EQ(View(first).waiters, 1u);
}

TEST_F(ShareTest, WhatHasEndedIsJoinedWhenItIsKnownToBeWhole) {
  const std::string first = Submit(Shared("x", "k1"));
  Commit(*Lease());
  QueuedRequest again = Shared("x", "k2");
  again.made = first;
  EXPECT_EQ(Submit(again), first);
  EXPECT_FALSE(Lease());
  EXPECT_EQ(View(first).waiters, 1u);  // nobody needs to wait
  QueuedRequest unsure = Shared("x", "k3");
  EXPECT_EQ(Submit(unsure), unsure.id);
  QueuedRequest late = Shared("x", "k4");
  late.made = first;  // no longer the newest
  EXPECT_EQ(Submit(late), unsure.id);
}

TEST_F(ShareTest, WhatIsCancelledOrLateIsNotJoined) {
  const std::string first = Submit(Shared("x", "k1"));
  ASSERT_TRUE(queue_->Cancel(first).ok());
  QueuedRequest second = Shared("x", "k2");
  second.made = first;
  second.timeout = absl::Seconds(100);
  EXPECT_EQ(Submit(second), second.id);
  Redis({"HSET", Key("request:" + second.id), "dl", "1"});
  EXPECT_EQ(Submit(Shared("x", "k3")), "0-by-k3");
}

TEST_F(ShareTest, ItEndsWithTheLastWhoWaits) {
  const std::string id = Submit(Shared("x", "k1", 2));
  Submit(Shared("x", "k2", 2));
  const LeasedTask running = *Lease();
  EXPECT_TRUE(Leave(id, "k1"));
  EXPECT_TRUE(Leave(id, "k1"));  // a repetition
  EXPECT_TRUE(Leave(id, "never here"));
  EXPECT_EQ(View(id).state, RequestState::kActive);
  EXPECT_EQ(View(id).waiters, 1u);
  EXPECT_EQ(Commit(running), CommitOutcome::kCommitted);
  const std::optional<LeasedTask> last = Lease();
  ASSERT_TRUE(last.has_value());
  EXPECT_FALSE(Leave(id, "k2"));
  EXPECT_FALSE(Leave(id, "k2"));
  EXPECT_EQ(View(id).state, RequestState::kCancelled);
  EXPECT_EQ(Commit(*last), CommitOutcome::kCancelled);
  EXPECT_TRUE(absl::IsNotFound(queue_->Leave("0-none", "k1").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(queue_->Leave(id, "").status()));
}

TEST_F(ShareTest, WhoLeftMayComeBack) {
  const std::string id = Submit(Shared("x", "k1"));
  Submit(Shared("x", "k2"));
  EXPECT_TRUE(Leave(id, "k1"));
  QueuedRequest back = Shared("x", "k1");
  back.id = "0-another";
  EXPECT_EQ(Submit(back), id);
  EXPECT_EQ(View(id).waiters, 2u);
  EXPECT_TRUE(Leave(id, "k2"));
}

TEST_F(ShareTest, TheHighestPriorityCounts) {
  const std::string shared = Submit(Shared("x", "k1", 3));
  QueuedRequest other = Request("other", 3);
  other.priority = 10;
  Submit(other);
  EXPECT_EQ(Lease()->request, other.id);
  QueuedRequest urgent = Shared("x", "k2", 3);
  urgent.priority = 50;
  EXPECT_EQ(Submit(urgent), shared);
  EXPECT_EQ(View(shared).priority, 50);
  EXPECT_EQ(Lease()->request, shared);
  EXPECT_TRUE(Leave(shared, "k2"));
  EXPECT_EQ(View(shared).priority, 0);
  EXPECT_EQ(Lease()->request, other.id);
  QueuedRequest modest = Shared("x", "k3", 3);
  modest.priority = -50;
  Submit(modest);
  EXPECT_EQ(View(shared).priority, 0);
  for (const std::string& next : {other.id, shared, shared}) EXPECT_EQ(Lease()->request, next);
}

TEST_F(ShareTest, TheLatestDeadlineCounts) {
  QueuedRequest hour = Shared("x", "k1"), minute = Shared("x", "k2");
  hour.timeout = absl::Hours(1);
  minute.timeout = absl::Minutes(1);
  const std::string id = Submit(minute);
  const auto seconds = [&] {
    return std::stod(std::string(Text(Redis({"ZSCORE", Key("deadlines"), id}).get()))) / 1000 -
           absl::ToDoubleSeconds(View(id).created - absl::UnixEpoch());
  };
  EXPECT_EQ(std::lround(seconds()), 60);
  Submit(hour);
  EXPECT_GE(std::lround(seconds()), 3600);
  Submit(Shared("x", "k3"));  // has none
  EXPECT_FALSE(HasDeadline(id));
  EXPECT_TRUE(Leave(id, "k3"));
  EXPECT_GE(std::lround(seconds()), 3600);
  EXPECT_TRUE(Leave(id, "k1"));
  EXPECT_EQ(std::lround(seconds()), 60);
}

// A retry drops the deadline for good: those who wait do not bring it back.
TEST_F(ShareTest, ARetriedRequestHasNoDeadline) {
  QueuedRequest request = Shared("x", "k1");
  request.timeout = absl::Hours(1);
  const std::string id = Submit(request);
  Commit(*Lease(), TaskState::kFailed, "", "why");
  EXPECT_EQ(queue_->Retry(id).value(), 1u);
  Submit(Shared("x", "k2"));
  EXPECT_TRUE(Leave(id, "k2"));
  EXPECT_FALSE(HasDeadline(id));
}

TEST_F(ShareTest, NothingIsLeftOfADeletedOne) {
  const std::string id = Submit(Shared("x", "k1"));
  Submit(Shared("x", "k2"));
  Submit(Shared("x", "k3"));
  EXPECT_TRUE(Leave(id, "k3"));
  EXPECT_EQ(Keys("*idempotency*"), 2u);
  Commit(*Lease());
  ASSERT_TRUE(queue_->Delete(id).ok());
  EXPECT_EQ(Keys("*idempotency*"), 0u);
  EXPECT_EQ(Keys("*shared*"), 0u);
  EXPECT_EQ(Keys("*" + id + "*"), 0u);
  EXPECT_FALSE(queue_->FindEqual("default", "digest-x").value().has_value());
}

}  // namespace
}  // namespace slipway
