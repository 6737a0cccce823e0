// Connections to Redis that stand and over which nothing comes any more.
#include <atomic>

#include "tests/common/queue_fixture.h"
#include "tests/support/silent_proxy.h"

namespace slipway {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);  // only a failing test has it to the end

class QueueSilenceTest : public QueueTest {
 protected:
  // The queue, over a network of its own.
  std::unique_ptr<Queue> Remote() {
    QueueOptions options = Options();
    options.address = proxy_.address();
    return ConnectQueue(options).value();
  }
  template <typename Condition>
  static bool Becomes(Condition condition) {
    const absl::Time deadline = absl::Now() + kPatience;
    while (!condition() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(5));
    return condition();
  }
  // Those who only listen notice, and connect anew.
  bool FallsSilentAndIsNoticed() {
    const int connections = proxy_.connections();
    proxy_.SilenceThoseThatStand();
    return Becomes([&] { return proxy_.connections() > connections; });
  }

  SilentProxy proxy_{redis_.address()};
};

TEST_F(QueueSilenceTest, WhoFollowsRequestsConnectsAnew) {
  Submit(Request("a"));
  const std::unique_ptr<Queue> queue = Remote();
  std::atomic<int> told = 0;
  const std::unique_ptr<Changes> changes = queue->FollowChanges([&](const std::string&) { ++told; });
  ASSERT_TRUE(changes->Follow("0-a").ok());
  ASSERT_TRUE(FallsSilentAndIsNoticed());
  EXPECT_TRUE(changes->Follow("0-b").ok());  // and is heard
  const int before = told;
  Commit(*Lease());
  EXPECT_TRUE(Becomes([&] { return told > before; }));
}

TEST_F(QueueSilenceTest, WhoHearsCancellationsConnectsAnew) {
  Submit(Request("a"));
  const std::unique_ptr<Queue> queue = Remote();
  std::atomic<int> cancelled = 0;
  ASSERT_TRUE(queue->OnCancelled([&](const std::string&) { ++cancelled; }).ok());
  ASSERT_TRUE(FallsSilentAndIsNoticed());
  // Told only to those who listen already.
  EXPECT_TRUE(Becomes([&] {
    Redis({"PUBLISH", Key("cancelled"), "0-a"});
    return cancelled > 0;
  }));
}

TEST_F(QueueSilenceTest, ACallGetsItsAnswerOverANewConnection) {
  Submit(Request("a"));
  const std::unique_ptr<Queue> queue = Remote();
  proxy_.SilenceThoseThatStand();
  EXPECT_EQ(queue->GetRequest("0-a").status(), absl::OkStatus());
}

TEST_F(QueueSilenceTest, WhoWaitsForWorkGetsIt) {
  const std::unique_ptr<Queue> queue = Remote();
  const auto await = [&] { return queue->AwaitLease({.worker = "w", .token = RandomHex(16), .classes = {"any"}}); };
  ASSERT_TRUE(await().ok());
  proxy_.SilenceThoseThatStand();
  Submit(Request("a"));
  const absl::StatusOr<std::optional<LeasedTask>> leased = await();
  ASSERT_EQ(leased.status(), absl::OkStatus());
  EXPECT_TRUE(leased->has_value());
}

}  // namespace
}  // namespace slipway
