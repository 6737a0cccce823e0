// The queue over a master, a replica and three real sentinels.
#include <atomic>
#include <thread>

#include "tests/common/followed.h"
#include "tests/common/queue_fixture.h"
#include "tests/support/certificates.h"
#include "tests/support/replicated_redis.h"

namespace slipway {
namespace {

using ::testing::HasSubstr;

class SentinelTest : public ::testing::Test {
 protected:
  explicit SentinelTest(const ReplicationOptions& options = {}) : redis_(options) {}

  QueueOptions Options() const {
    QueueOptions options;
    options.address = redis_.address();
    options.password = "secret";
    options.sentinel_password = "secret";
    return options;
  }
  static QueuedRequest Request(const std::string& name, uint32_t tasks) {
    QueuedRequest request{.id = "0-" + name, .request_digest = "digest-" + name, .spec = "spec"};
    for (uint32_t i = 0; i < tasks; ++i) request.tasks.push_back({.index = i});
    return request;
  }
  static absl::StatusOr<std::optional<LeasedTask>> Lease(Queue& queue, const std::string& token = RandomHex(16)) {
    return queue.Lease({.worker = "w", .token = token, .classes = {"any"}});
  }
  static absl::StatusOr<CommitOutcome> Commit(Queue& queue, const LeasedTask& task) {
    return queue.Commit({.request = task.request, .index = task.index, .token = task.token});
  }
  // A call, again for as long as nobody answers.
  template <typename Call>
  static auto Patiently(const Call& call) {
    auto result = call();
    for (const absl::Time patience = absl::Now() + absl::Seconds(60);
         absl::IsUnavailable(result.status()) && absl::Now() < patience; result = call())
      std::this_thread::yield();
    return result;
  }
  bool IsAt(const RedisServer& server, const std::string& request) const {
    return redis_.Ask(server, {"EXISTS", "{slipway:0}:v5:request:" + request}).starts_with("1");
  }
  // Whether somebody is told there of the request's changes.
  bool Hears(const RedisServer& server, const std::string& request) const {
    return redis_.Ask(server, {"PUBLISH", "{slipway:0}:v5:changes:" + request, "1"}).starts_with("1");
  }

  ReplicatedRedis redis_;
};

class DyingMasterTest : public SentinelTest {
 protected:
  DyingMasterTest() : SentinelTest({.down_after_ms = 1000}) {}
};

TEST_F(SentinelTest, WhatTheReplicaLacksDoesNoHarm) {
  const std::unique_ptr<Queue> queue = ConnectQueue(Options()).value();
  ASSERT_EQ(queue->Submit(Request("kept", 3)).value(), "0-kept");
  ASSERT_TRUE(queue->Maintain().ok());
  const LeasedTask first = **Lease(*queue, "token-1");
  // As if it had ended long ago.
  redis_.Ask(redis_.master(), {"ZADD", "{slipway:0}:v5:leases", "XX", "1", "token-1"});
  redis_.AwaitReplicated();
  redis_.BreakReplication();
  // All of this is told to its caller, and lost.
  ASSERT_EQ(*Commit(*queue, first), CommitOutcome::kCommitted);
  const LeasedTask second = **Lease(*queue, "token-2");
  ASSERT_EQ(queue->Submit(Request("lost", 1)).value(), "0-lost");
  redis_.master().Kill9();
  redis_.FailOver();

  // Whoever holds a lease is given time: to this server it only looks dead.
  EXPECT_EQ(Patiently([&] { return queue->Maintain(); }).value(), 0);
  EXPECT_EQ(queue->GetRequest("0-kept").value().counts[TaskState::kRunning], 1u);
  EXPECT_THAT(queue->Heartbeat({.id = "w"}, {"token-1", "token-2"}).value(), testing::ElementsAre("token-2"));
  EXPECT_EQ(*Commit(*queue, second), CommitOutcome::kFenced);
  EXPECT_EQ(*Commit(*queue, first), CommitOutcome::kCommitted);  // says it again: its reply may have been lost
  EXPECT_EQ(*Commit(*queue, first), CommitOutcome::kAlready);
  EXPECT_EQ(queue->GetRequest("0-lost").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(queue->Submit(Request("lost", 1)).value(), "0-lost");  // as its client does then
  int rest = 0;
  while (const std::optional<LeasedTask> task = *Lease(*queue)) {
    EXPECT_EQ(*Commit(*queue, *task), CommitOutcome::kCommitted);
    ++rest;
  }
  EXPECT_EQ(rest, 3);
  for (const char* request : {"0-kept", "0-lost"})
    EXPECT_EQ(queue->GetRequest(request).value().state, RequestState::kDone) << request;
}

TEST_F(DyingMasterTest, WorkGoesOnAfterItIsKilled) {
  constexpr uint32_t kTasks = 300;
  QueueOptions options = Options();
  options.lease = absl::Seconds(2);
  options.max_attempts = 1000;  // the machine may be slower than the lease
  const std::unique_ptr<Queue> queue = ConnectQueue(options).value();
  ASSERT_EQ(queue->Submit(Request("a", kTasks)).value(), "0-a");
  redis_.AwaitReplicated();
  std::atomic<uint32_t> committed = 0;
  std::atomic<bool> killed = false, done = false;
  const auto work = [&] {
    while (!done) {
      // Some for before, the rest for after.
      if (!killed && committed > kTasks / 3) {
        std::this_thread::yield();
        continue;
      }
      const auto task = Lease(*queue);
      if (!task.ok() || !task->has_value()) continue;
      if (Patiently([&] { return Commit(*queue, **task); }).value() == CommitOutcome::kCommitted) ++committed;
    }
  };
  std::thread one(work), two(work);
  while (committed <= kTasks / 3) std::this_thread::yield();
  redis_.master().Kill9();
  killed = true;
  const bool ended = [&] {
    for (const absl::Time patience = absl::Now() + absl::Seconds(100); absl::Now() < patience;) {
      queue->Maintain().status().IgnoreError();
      const absl::StatusOr<RequestView> view = queue->GetRequest("0-a");
      if (view.ok() && view->state == RequestState::kDone) return true;
    }
    return false;
  }();
  done = true;
  one.join();
  two.join();
  ASSERT_TRUE(ended);
  EXPECT_EQ(queue->GetRequest("0-a").value().counts[TaskState::kPassed], kTasks);
  EXPECT_GE(committed, kTasks);
}

// It answers nobody, but its connections stand.
TEST_F(SentinelTest, AMasterThatLostItsPlaceIsLeft) {
  const std::unique_ptr<Queue> queue = ConnectQueue(Options()).value();
  std::atomic<bool> cancelled = false;
  ASSERT_TRUE(queue->OnCancelled([&](const std::string&) { cancelled = true; }).ok());
  Followed changes(*queue, "0-a");
  ASSERT_TRUE(changes.status().ok());
  redis_.AwaitReplicated();
  const RedisServer& old = redis_.master();
  const RedisServer& promoted = redis_.Other(old);
  old.Signal(SIGSTOP);
  redis_.FailOver();
  ASSERT_EQ(Patiently([&] { return queue->Submit(Request("a", 1)); }).value(), "0-a");
  EXPECT_TRUE(IsAt(promoted, "0-a"));
  // Whoever listens does so at the new one.
  bool hears = false;
  for (const absl::Time patience = absl::Now() + absl::Seconds(60); !hears && absl::Now() < patience;)
    hears = Hears(promoted, "0-a");
  EXPECT_TRUE(hears);
  for (const absl::Time patience = absl::Now() + absl::Seconds(60); !cancelled && absl::Now() < patience;) {
    ASSERT_TRUE(queue->Cancel("0-a").ok());
    ASSERT_TRUE(queue->Delete("0-a").ok());
    ASSERT_TRUE(queue->Submit(Request("a", 1)).ok());
  }
  EXPECT_TRUE(cancelled);
}

TEST_F(SentinelTest, TheNextSentinelIsAskedWhenOneIsGone) {
  const std::unique_ptr<Queue> queue = ConnectQueue(Options()).value();
  QueueOptions wrong = Options();
  wrong.sentinel_password = "wrong";
  const absl::Status refused = ConnectQueue(wrong).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(Message(refused), HasSubstr("WRONGPASS"));
  redis_.sentinel(0).Kill9();
  EXPECT_TRUE(ConnectQueue(Options()).ok());
  EXPECT_TRUE(Followed(*queue, "0-a").status().ok());
  QueueOptions unknown = Options();
  unknown.address.replace(unknown.address.find("farm@"), 5, "barn@");
  const absl::Status status = ConnectQueue(unknown).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Message(status), HasSubstr("barn"));
  EXPECT_THAT(Message(status), HasSubstr(redis_.sentinel(0).tcp_address()));
  EXPECT_THAT(Message(status), HasSubstr(redis_.sentinel(2).tcp_address()));
}

TEST_F(SentinelTest, OneThatJoinedLaterIsAskedWhenAllOthersAreGone) {
  QueueOptions options = Options();
  options.address = fmt::format("sentinel:{}@{}", ReplicatedRedis::kMaster, redis_.sentinel(0).tcp_address());
  const std::unique_ptr<Queue> queue = ConnectQueue(options).value();
  const RedisServer& late = redis_.AddSentinel();
  EXPECT_TRUE(Followed(*queue, "0-a").status().ok());  // a connection more, for which a sentinel is asked
  redis_.AwaitReplicated();
  RedisServer& old = redis_.master();
  const RedisServer& promoted = redis_.Other(old);
  old.Signal(SIGSTOP);
  for (int i = 0; i < 3; ++i) redis_.sentinel(i).Kill9();
  const auto tells = [&] {
    return redis_.Ask(late, {"SENTINEL", "GET-MASTER-ADDR-BY-NAME", ReplicatedRedis::kMaster});
  };
  redis_.Ask(late, {"SENTINEL", "FAILOVER", ReplicatedRedis::kMaster});
  for (const absl::Time patience = absl::Now() + absl::Seconds(60);
       tells().find(std::to_string(promoted.port())) == std::string::npos && absl::Now() < patience;) {
  }
  ASSERT_EQ(Patiently([&] { return queue->Submit(Request("a", 1)); }).value(), "0-a");
  EXPECT_TRUE(IsAt(promoted, "0-a"));
}

TEST(EncryptedSentinelTest, TheyAndTheServersAreEncrypted) {
  const TemporaryFolder folder = TemporaryFolder::Create(TemporaryFolder::ShortParent(), "slipway-test-").value();
  const Authority authority(folder.path(), "ca");
  const PemFiles shown = authority.Issue("server", {.names = {"IP:127.0.0.1"}});
  ReplicatedRedis redis({.encrypted = true,
                         .config = {"tls-cert-file " + shown.certificate.string(), "tls-key-file " + shown.key.string(),
                                    "tls-ca-cert-file " + authority.certificate().string(), "tls-auth-clients no"}});
  QueueOptions options;
  options.address = redis.address();
  options.password = options.sentinel_password = "secret";
  options.tls = {.on = true, .ca = authority.certificate().string()};
  const std::unique_ptr<Queue> queue = ConnectQueue(options).value();
  EXPECT_TRUE(queue->Ping().ok());
  EXPECT_TRUE(Followed(*queue, "0-a").status().ok());
  options.tls.server_name = "redis.test";
  const absl::Status status = ConnectQueue(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), HasSubstr("certificate"));
}

TEST(SentinelsTest, AnErrorNamesEachSentinelOnce) {
  const absl::Status status = ConnectQueue({.address = "sentinel:farm@127.0.0.1:1,127.0.0.1:2"}).status();
  const std::string message = Message(status);
  EXPECT_TRUE(absl::IsUnavailable(status)) << message;
  EXPECT_THAT(message, testing::StartsWith("no sentinel of Redis tells where master farm is: 127.0.0.1:1: Redis: "));
  EXPECT_THAT(message.substr(message.find(';')), testing::StartsWith("; 127.0.0.1:2: Redis: "));
}

}  // namespace
}  // namespace slipway
