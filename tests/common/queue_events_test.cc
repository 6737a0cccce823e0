// What wakes whom.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "tests/common/queue_fixture.h"

namespace slipway {
namespace {

// Requests that were told of, and waits for them.
class Heard {
 public:
  Changes::OnChange Callback() {
    return [this](const std::string& request) {
      std::lock_guard lock(mutex_);
      ++times_[request];
      changed_.notify_all();
    };
  }
  int Times(const std::string& request) {
    std::lock_guard lock(mutex_);
    return times_[request];
  }
  // Whether it is told of more often than `times`.
  bool MoreThan(int times, const std::string& request) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return times_[request] > times; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, int> times_;
};

int PubSubConnections(const Reply& clients) {
  const std::string_view text = Text(clients.get());
  return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}

TEST_F(QueueTest, EveryChangeOfAFollowedRequestIsTold) {
  Submit(PreparedRequest("a", 1));
  Submit(Request("other"));
  Heard heard;
  const std::unique_ptr<Changes> changes = queue_->FollowChanges(heard.Callback());
  ASSERT_TRUE(changes->Follow("0-a").ok());
  int told = heard.Times("0-a");
  const auto told_again = [&] {
    const bool more = heard.MoreThan(told, "0-a");
    told = heard.Times("0-a");
    return more;
  };
  LeasedTask task = *Lease();
  EXPECT_TRUE(told_again());
  EXPECT_TRUE(queue_->Progress(task, "converting").ok());
  EXPECT_TRUE(told_again());
  Commit(task);
  EXPECT_TRUE(told_again());
  ASSERT_EQ(Lease()->request, "0-other");
  EXPECT_TRUE(queue_->Cancel("0-a").ok());
  EXPECT_TRUE(told_again());
  EXPECT_EQ(heard.Times("0-other"), 0);
}

TEST_F(QueueTest, AllRequestsAreFollowedOverOneConnection) {
  Heard heard;
  const std::unique_ptr<Changes> changes = queue_->FollowChanges(heard.Callback());
  EXPECT_EQ(PubSubConnections(Redis({"CLIENT", "LIST", "TYPE", "pubsub"})), 0);
  constexpr int kRequests = 50;
  std::vector<std::thread> followers;
  std::atomic<int> followed = 0;
  for (int i = 0; i < kRequests; ++i) {
    Submit(Request("r" + std::to_string(i)));
    followers.emplace_back([&, i] { followed += changes->Follow("0-r" + std::to_string(i)).ok(); });
  }
  for (std::thread& follower : followers) follower.join();
  EXPECT_EQ(followed, kRequests);
  EXPECT_EQ(PubSubConnections(Redis({"CLIENT", "LIST", "TYPE", "pubsub"})), 1);
  for (int i = 0; i < kRequests; ++i) {
    const std::string request = "0-r" + std::to_string(i);
    const int told = heard.Times(request);
    ASSERT_TRUE(queue_->Cancel(request).ok());
    EXPECT_TRUE(heard.MoreThan(told, request)) << request;
  }
}

// One follower of two leaves: the other is still told. Once both have left, the server does not know of them any more.
TEST_F(QueueTest, ARequestIsFollowedUntilItsLastFollowerLeaves) {
  Submit(Request("a", 2));
  Heard heard;
  const std::unique_ptr<Changes> changes = queue_->FollowChanges(heard.Callback());
  ASSERT_TRUE(changes->Follow("0-a").ok());
  ASSERT_TRUE(changes->Follow("0-a").ok());
  changes->Unfollow("0-a");
  const int told = heard.Times("0-a");
  ASSERT_TRUE(Lease());
  EXPECT_TRUE(heard.MoreThan(told, "0-a"));
  for (int i = 0; i < 20; ++i) {  // what is followed again at once is heard again
    changes->Unfollow("0-a");
    ASSERT_TRUE(changes->Follow("0-a").ok());
    EXPECT_EQ(Number(Redis({"PUBLISH", Key("changes:0-a"), "1"}).get()), 1);
  }
  changes->Unfollow("0-a");
  while (Number(Redis({"PUBLISH", Key("changes:0-a"), "1"}).get()) != 0) std::this_thread::yield();
}

TEST_F(QueueTest, ALostConnectionIsMadeAgainAndTold) {
  Submit(Request("a"));
  Heard heard;
  const std::unique_ptr<Changes> changes = queue_->FollowChanges(heard.Callback());
  ASSERT_TRUE(changes->Follow("0-a").ok());
  int told = heard.Times("0-a");
  Redis({"CLIENT", "KILL", "TYPE", "pubsub"});
  EXPECT_TRUE(heard.MoreThan(told + 1, "0-a"));  // that it was lost, that it is there again
  while (Number(Redis({"PUBLISH", Key("changes:0-a"), "1"}).get()) != 1) std::this_thread::yield();
  redis_.Kill9();
  EXPECT_EQ(changes->Follow("0-b").code(), absl::StatusCode::kUnavailable);
}

TEST_F(QueueTest, CancellationsAreCalledBack) {
  std::promise<std::string> cancelled;
  ASSERT_TRUE(queue_->OnCancelled([&](const std::string& request) { cancelled.set_value(request); }).ok());
  Submit(Request("a"));
  ASSERT_TRUE(Connect()->Cancel("0-a").ok());
  std::future<std::string> heard = cancelled.get_future();
  ASSERT_EQ(heard.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(heard.get(), "0-a");
  queue_.reset();  // ends the thread that calls
}

// The waiter's own connection is seen blocked before the submit, so that only the wake-up can end its wait as it does:
// BLPOP takes the one entry and leaves the list empty. A wait that ended by its deadline would leave it.
TEST_F(QueueTest, AwaitLeaseGivesTheTaskThatWokeIt) {
  for (int round = 0; round < 3; ++round) {
    std::optional<LeasedTask> task;
    std::thread waiter([&] {
      while (!task)
        task = queue_->AwaitLease({.worker = "w1", .token = "t" + std::to_string(round), .classes = {"other", "any"}})
                   .value();
    });
    while (InfoField(Text(Redis({"INFO", "clients"}).get()), "blocked_clients") == "0") std::this_thread::yield();
    const std::string request = Submit(Request("r" + std::to_string(round)));
    waiter.join();
    EXPECT_EQ(task->request, request);
    EXPECT_EQ(task->token, "t" + std::to_string(round));
    EXPECT_EQ(StateOf(request, 0), TaskState::kRunning);
    EXPECT_EQ(Number(Redis({"EXISTS", Key("wake:any")}).get()), 0);  // taken by the wait, not left by its end
  }
}

TEST_F(QueueTest, AwaitLeaseRefusesWhatNoLeaseMayAsk) {
  EXPECT_EQ(queue_->AwaitLease({.worker = "w1", .token = "t", .classes = {"no class"}}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(queue_->AwaitLease({.worker = "w1", .token = "t", .classes = {}}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(queue_->AwaitLease({.worker = "w1", .token = "", .classes = {"any"}}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

// Each wait takes one of the two; what nobody took is forgotten.
TEST_F(QueueTest, RouseEndsAsManyWaitsOfThatWorker) {
  ASSERT_TRUE(queue_->Rouse("w1", 2).ok());
  EXPECT_FALSE(queue_->AwaitLease({.worker = "w1", .token = "t", .classes = {"any"}}).value());
  EXPECT_EQ(Number(Redis({"LLEN", Key("rouse:w1")}).get()), 1);
  EXPECT_FALSE(queue_->AwaitLease({.worker = "w2", .token = "t", .classes = {"any"}}).value());
  EXPECT_EQ(Number(Redis({"LLEN", Key("rouse:w1")}).get()), 1);
  EXPECT_GT(Number(Redis({"PTTL", Key("rouse:w1")}).get()), 0);
}

TEST_F(QueueTest, ACommitBringsTheNextTaskAlong) {
  Submit(Request("a", 2));
  Redis({"SCRIPT", "FLUSH"});
  const LeasedTask first = *Lease();
  const TaskCommit commit{.request = first.request, .index = first.index, .token = first.token, .result = "made"};
  Redis({"SCRIPT", "FLUSH"});  // neither script is known: both are sent whole
  const LeaseRequest next{.worker = "w1", .token = "next", .classes = {"any"}};
  CommittedAndLeased both = queue_->CommitAndLease(commit, next);
  EXPECT_EQ(both.committed.value(), CommitOutcome::kCommitted);
  ASSERT_TRUE(both.leased.value());
  EXPECT_EQ((*both.leased)->index, 1u);
  EXPECT_EQ(Task("0-a", 0).result, "made");
  EXPECT_EQ(StateOf("0-a", 1), TaskState::kRunning);
  // Its reply was lost: the same again.
  both = queue_->CommitAndLease(commit, next);
  EXPECT_EQ(both.committed.value(), CommitOutcome::kAlready);
  EXPECT_EQ((*both.leased)->index, 1u);
  EXPECT_EQ((*both.leased)->attempt, 1);
  // What comes next does not hang on the commit.
  Submit(Request("b"));
  const TaskCommit forged{.request = "0-a", .index = 1, .token = "another's"};
  both = queue_->CommitAndLease(forged, {.worker = "w1", .token = "third", .classes = {"any"}});
  EXPECT_EQ(both.committed.value(), CommitOutcome::kFenced);
  EXPECT_EQ((*both.leased)->request, "0-b");
  both = queue_->CommitAndLease({.request = "0-a", .index = 1, .token = "next"},
                                {.worker = "w1", .token = "fourth", .classes = {"any"}});
  EXPECT_EQ(both.committed.value(), CommitOutcome::kCommitted);
  EXPECT_FALSE(both.leased.value());
}

TEST_F(QueueTest, AnEmptyLeaseForgetsStaleWakeUps) {
  Submit(Request("a", 3));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Lease());
  EXPECT_EQ(Number(Redis({"LLEN", Key("wake:any")}).get()), 3);
  EXPECT_FALSE(Lease());
  EXPECT_EQ(Number(Redis({"LLEN", Key("wake:any")}).get()), 0);
}

}  // namespace
}  // namespace slipway
