// What wakes whom.
#include <chrono>
#include <future>
#include <thread>

#include "tests/common/queue_fixture.h"

namespace slipway {
namespace {

absl::Time Soon() { return absl::Now() + absl::Seconds(20); }  // only a failing test waits so long

TEST_F(QueueTest, ASubscriptionHearsEveryChange) {
  Submit(PreparedRequest("a", 1));
  Submit(Request("other"));
  std::unique_ptr<Subscription> subscription = queue_->Subscribe("0-a").value();
  EXPECT_FALSE(subscription->Wait(absl::Now()).value());
  LeasedTask task = *Lease();
  EXPECT_TRUE(subscription->Wait(Soon()).value());
  EXPECT_TRUE(queue_->Progress(task, "converting").ok());
  EXPECT_TRUE(subscription->Wait(Soon()).value());
  Commit(task);
  EXPECT_TRUE(subscription->Wait(Soon()).value());
  ASSERT_EQ(Lease()->request, "0-other");
  EXPECT_FALSE(subscription->Wait(absl::Now()).value());  // another request's change
  EXPECT_TRUE(queue_->Cancel("0-a").ok());
  EXPECT_TRUE(subscription->Wait(Soon()).value());
}

TEST_F(QueueTest, ALostSubscriptionSaysSo) {
  Submit(Request("a"));
  std::unique_ptr<Subscription> subscription = queue_->Subscribe("0-a").value();
  redis_.Kill9();
  EXPECT_EQ(subscription->Wait(Soon()).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(queue_->Subscribe("0-a").status().code(), absl::StatusCode::kUnavailable);
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
TEST_F(QueueTest, WaitForWorkIsWokenByASubmit) {
  for (int round = 0; round < 3; ++round) {
    std::thread waiter([&] {
      while (!Lease()) EXPECT_TRUE(queue_->WaitForWork({"other", "any"}, Soon()).ok());
    });
    while (InfoField(Text(Redis({"INFO", "clients"}).get()), "blocked_clients") == "0") std::this_thread::yield();
    Submit(Request("r" + std::to_string(round)));
    waiter.join();
    EXPECT_EQ(Number(Redis({"EXISTS", Key("wake:any")}).get()), 0);
  }
}

TEST_F(QueueTest, WaitForWorkReturnsWhatIsThereAlready) {
  Submit(Request("a", 2));
  EXPECT_TRUE(queue_->WaitForWork({"any"}, Soon()).ok());
  EXPECT_TRUE(queue_->WaitForWork({"any"}, absl::Now()).ok());
  EXPECT_EQ(queue_->WaitForWork({"no class"}, Soon()).code(), absl::StatusCode::kInvalidArgument);
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
