// Lost workers, lost replies, lost servers, full memory.
#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "common/base/log.h"
#include "common/queue/plan.h"
#include "common/queue/pool.h"
#include "tests/common/queue_fixture.h"

namespace slipway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class PersistentQueueTest : public QueueTest {
 protected:
  PersistentQueueTest() : QueueTest({.password = "secret", .persistent = true, .config = {}}) {}
};

// A worker that lives must be back well within the lease that its tasks get when Redis is.
TEST(ReconnectDelay, GrowsToATenthOfALease) {
  Random jitter(1);
  for (const absl::Duration lease : {absl::Milliseconds(1500), absl::Seconds(5), absl::Seconds(15), absl::Minutes(5)}) {
    const absl::Duration longest = LongestReconnectDelay(lease);
    EXPECT_LE(longest, lease / 10);
    EXPECT_LE(longest, absl::Seconds(1));
    for (int failures = 0; failures < 100; ++failures) {
      const absl::Duration delay = ReconnectDelay(failures, jitter, longest);
      EXPECT_LE(delay, longest);
      EXPECT_GE(delay, absl::Milliseconds(5));
    }
    EXPECT_GE(ReconnectDelay(100, jitter, longest), longest / 2);
  }
}

// Ten of many, and how many more.
TEST_F(QueueTest, LostLeasesAreTold) {
  Submit(Request("a", 12));
  Maintain();
  for (int i = 0; i < 12; ++i) {
    const LeasedTask task = *Lease("token-" + std::to_string(i), "w" + std::to_string(i));
    ExpireLease(task.token);
  }
  InitLogging("common_test");
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(Maintain(), 12);
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("a worker lost its lease request=0-a task=0 worker=w0"));
  EXPECT_THAT(log, HasSubstr("more leases were lost leases=2"));
  EXPECT_THAT(log, Not(HasSubstr("worker=w9")));
}

TEST_F(QueueTest, ALostLeaseIsTakenByAnotherAtTheHeadAndTheOldTokenIsFenced) {
  Submit(Request("a", 3));
  Maintain();
  LeasedTask lost = *Lease("token-1", "w1");
  LeasedTask kept = *Lease("token-2", "w2");
  EXPECT_EQ(Maintain(), 0);
  ExpireLease("token-1");
  EXPECT_EQ(Maintain(), 1);
  EXPECT_EQ(StateOf("0-a", lost.index), TaskState::kReady);
  EXPECT_THAT(Task("0-a", lost.index).reason, HasSubstr("w1"));
  EXPECT_EQ(StateOf("0-a", kept.index), TaskState::kRunning);
  EXPECT_THAT(queue_->Heartbeat({.id = "w1", .last_seen = {}}, {"token-1", "token-2"}).value(), ElementsAre("token-1"));
  LeasedTask again = *Lease("token-3", "w2");
  EXPECT_EQ(again.index, lost.index);
  EXPECT_EQ(again.attempt, 2);
  EXPECT_EQ(Commit(lost), CommitOutcome::kFenced);
  EXPECT_EQ(Commit(again), CommitOutcome::kCommitted);
  EXPECT_EQ(Commit(lost), CommitOutcome::kFenced);
}

TEST_F(QueueTest, ALeaseLostTooOftenEndsTheTask) {
  Submit(Request("a"));
  Maintain();
  for (int attempt = 1; attempt <= 3; ++attempt) {
    std::string token = "token-" + std::to_string(attempt);
    ASSERT_TRUE(Lease(token));
    ExpireLease(token);
    EXPECT_EQ(Maintain(), 1);
  }
  EXPECT_EQ(StateOf("0-a", 0), TaskState::kFailed);
  EXPECT_THAT(Task("0-a", 0).reason, HasSubstr("lost its lease"));
  EXPECT_EQ(View("0-a").state, RequestState::kDone);
}

TEST_F(QueueTest, AHeartbeatExtendsALease) {
  Submit(Request("a"));
  Maintain();
  ASSERT_TRUE(Lease("token-1"));
  ExpireLease("token-1");
  EXPECT_THAT(queue_->Heartbeat({.id = "w1", .last_seen = {}}, {"token-1"}).value(), IsEmpty());
  EXPECT_EQ(Maintain(), 0);
  EXPECT_EQ(StateOf("0-a", 0), TaskState::kRunning);
}

TEST_F(QueueTest, AfterAGapWithoutMaintenanceLeasesGetGrace) {
  Submit(Request("a"));
  Maintain();
  ASSERT_TRUE(Lease("token-1"));
  ExpireLease("token-1");
  Redis({"HSET", Key("meta"), "seen", "1000"});  // nobody maintained for years
  EXPECT_EQ(Maintain(), 0);
  EXPECT_EQ(StateOf("0-a", 0), TaskState::kRunning);
  ExpireLease("token-1");  // one lease later
  EXPECT_EQ(Maintain(), 1);
}

TEST_F(QueueTest, AfterAClockThatWentBackPausesAreAsLongAsBefore) {
  Submit(Request("a"));
  Maintain();
  ASSERT_EQ(Return(*Lease("token-1"), absl::Hours(1), false), CommitOutcome::kCommitted);
  const Reply time = Redis({"TIME"});
  const int64_t ahead = std::stoll(std::string(Text(Elements(time.get())[0]))) * 1000 + 7'200'000;
  Redis({"HSET", Key("meta"), "seen", std::to_string(ahead)});
  Redis({"ZADD", Key("delayed"), "XX", std::to_string(ahead - 1), "0:0-a"});  // due by now
  EXPECT_EQ(Maintain(), 1);
  EXPECT_TRUE(Lease("token-2"));
}

TEST_F(QueueTest, AServerWhoseClockIsBehindKeepsNoLeaseForLonger) {
  Submit(Request("a"));
  Maintain();
  ASSERT_TRUE(Lease("token-1"));
  Redis({"ZADD", Key("leases"), "XX", "99999999999999", "token-1"});
  Redis({"HSET", Key("meta"), "run_id", "that of the server before"});
  EXPECT_EQ(Maintain(), 0);
  const int64_t ends = std::stoll(std::string(Text(Redis({"ZSCORE", Key("leases"), "token-1"}).get())));
  const Reply time = Redis({"TIME"});
  EXPECT_LE(ends, std::stoll(std::string(Text(Elements(time.get())[0]))) * 1000 + 1000 + 15'000);
}

TEST_F(PersistentQueueTest, AfterARestartLeasesGetGraceAndNothingIsLost) {
  Submit(Request("a", 2));
  Maintain();
  LeasedTask task = *Lease("token-1");
  ExpireLease("token-1");
  redis_.Kill9();
  EXPECT_EQ(queue_->Ping().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(queue_->Lease({.worker = "w", .token = "t", .classes = {"any"}}).status().code(),
            absl::StatusCode::kUnavailable);
  redis_.Restart();
  EXPECT_EQ(Maintain(), 0);
  EXPECT_EQ(StateOf("0-a", 0), TaskState::kRunning);
  EXPECT_EQ(Commit(task, TaskState::kPassed, "result"), CommitOutcome::kCommitted);
  EXPECT_EQ(Lease()->index, 1u);
}

TEST_F(PersistentQueueTest, ACommitWhoseReplyWasLostIsAlreadyAfterTheRestart) {
  Submit(Request("a"));
  LeasedTask task = *Lease();
  Commit(task);
  redis_.Kill9();
  redis_.Restart();
  EXPECT_EQ(Commit(task), CommitOutcome::kAlready);
}

TEST_F(QueueTest, AnEmptiedServerIsAnEmptyFarm) {
  Submit(Request("a"));
  LeasedTask task = *Lease();
  redis_.Kill9();
  redis_.Restart();  // without persistence: everything is gone
  EXPECT_EQ(queue_->GetRequest("0-a").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Commit(task), CommitOutcome::kFenced);
  Submit(Request("a"));
  EXPECT_TRUE(Lease());
  Redis({"FLUSHALL"});  // under a live connection
  Submit(Request("b"));
  EXPECT_EQ(Lease()->request, "0-b");
}

TEST_F(QueueTest, FlushedScriptsAreSentAgain) {
  Submit(Request("a", 2));
  Commit(*Lease());
  Redis({"SCRIPT", "FLUSH"});
  Commit(*Lease());
  EXPECT_EQ(View("0-a").state, RequestState::kDone);
}

TEST_F(QueueTest, AnotherSchemaIsRefused) {
  Redis({"HSET", Key("meta"), "schema", "6"});
  EXPECT_EQ(ConnectQueue(Options()).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(queue_->Submit(Request("a")).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(queue_->Lease({.worker = "w", .token = "t", .classes = {"any"}}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Number(Redis({"DBSIZE"}).get()), 1);
}

TEST_F(QueueTest, AServerThatWouldEvictIsRefused) {
  Redis({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"});
  absl::Status status = ConnectQueue(Options()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), HasSubstr("noeviction"));
}

TEST_F(QueueTest, BadAddressesAndPasswordsAreRefused) {
  auto code = [&](auto change) {
    QueueOptions options = Options();
    change(options);
    return ConnectQueue(options).status().code();
  };
  EXPECT_EQ(code([](QueueOptions& o) { o.password = "wrong"; }), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(code([](QueueOptions& o) { o.password = ""; }), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(code([](QueueOptions& o) { o.address = "unix:/nowhere/redis.sock"; }), absl::StatusCode::kUnavailable);
  EXPECT_EQ(code([](QueueOptions& o) { o.address = "127.0.0.1:1"; }), absl::StatusCode::kUnavailable);
  EXPECT_EQ(code([](QueueOptions& o) { o.address = "unix:" + std::string(200, 'x'); }),
            absl::StatusCode::kInvalidArgument);
  QueueOptions secret = Options();
  secret.address = "rediss://user:word@host:6379";
  const absl::Status status = ConnectQueue(secret).status();
  EXPECT_THAT(Message(status), HasSubstr("--redis-password-file"));
  EXPECT_THAT(Message(status), ::testing::Not(HasSubstr("word@")));
  for (const char* address : {"", "redis", "unix:", ":6379", "host:", "host:x", "a:b:6379", "user:word@host:6379",
                              "rediss://", "https://host:6379", "sentinel:", "sentinel:farm", "sentinel:@host:26379",
                              "sentinel:farm@", "sentinel:farm@host:26379,", "sentinel:farm@host:x"})
    EXPECT_EQ(code([&](QueueOptions& o) { o.address = address; }), absl::StatusCode::kInvalidArgument) << address;
}

TEST_F(QueueTest, ErrorsOfTheServerSayWhatToDoNext) {
  EXPECT_EQ(ErrorReply("LOADING Redis is loading the dataset in memory").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ErrorReply("OOM command not allowed").code(), absl::StatusCode::kResourceExhausted);
  // A replica refuses writes.
  Redis({"REPLICAOF", "127.0.0.1", "1"});
  EXPECT_EQ(queue_->Submit(Request("a")).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(QueueTest, AFullServerRefusesSubmitsAndStillDrains) {
  Submit(Request("a", 2));
  LeasedTask task = *Lease("token-1");
  Redis({"CONFIG", "SET", "maxmemory", "100kb"});
  absl::Status status = queue_->Submit(Request("b")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(Message(status), HasSubstr("OOM"));
  EXPECT_EQ(queue_->GetRequest("0-b").status().code(), absl::StatusCode::kNotFound);
  // Also by connections that are made now.
  absl::StatusOr<std::unique_ptr<Queue>> late = ConnectQueue(Options());
  ASSERT_TRUE(late.ok()) << late.status();
  queue_ = *std::move(late);
  EXPECT_TRUE(queue_->Heartbeat({.id = "w1", .last_seen = {}}, {"token-1"}).ok());
  EXPECT_TRUE(queue_->Progress(task, "converting").ok());
  EXPECT_EQ(Commit(task), CommitOutcome::kCommitted);
  task = *Lease();
  EXPECT_EQ(Return(task, absl::ZeroDuration(), true), CommitOutcome::kCommitted);
  EXPECT_EQ(Maintain(), 0);
  EXPECT_TRUE(queue_->Cancel("0-a").ok());
  EXPECT_EQ(View("0-a").open, 0u);
}

TEST_F(QueueTest, AboveFourFifthsOfTheMemorySubmitsAreRefused) {
  Redis({"SET", "ballast", std::string(20 << 20, 'x')});
  int64_t used = std::stoll(InfoField(Text(Redis({"INFO", "memory"}).get()), "used_memory"));
  Redis({"CONFIG", "SET", "maxmemory", std::to_string(used + used / 10)});
  Maintain();
  absl::Status status = queue_->Submit(Request("a")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(Message(status), HasSubstr("80 %"));
  Redis({"CONFIG", "SET", "maxmemory", std::to_string(2 * used)});
  Maintain();
  EXPECT_TRUE(queue_->Submit(Request("a")).ok());
}

TEST_F(QueueTest, WorkersThatRaceCommitEveryTaskOnce) {
  constexpr int kTasks = 600, kWorkers = 4;
  Submit(PreparedRequest("a", kTasks / 2 - 1));
  Submit(Request("b", kTasks / 2));
  std::mutex mutex;
  std::map<std::pair<std::string, uint32_t>, int> committed;
  std::vector<std::thread> workers;
  for (int w = 0; w < kWorkers; ++w) {
    workers.emplace_back([&, w] {
      // Two share the test's queue, two have their own.
      std::unique_ptr<Queue> own = w < 2 ? nullptr : Connect();
      Queue& queue = w < 2 ? *queue_ : *own;
      while (true) {
        LeaseRequest request{.worker = "w" + std::to_string(w), .token = RandomHex(16), .classes = {"any"}};
        std::optional<LeasedTask> task = queue.Lease(request).value();
        if (!task) {
          if (queue.GetRequest("0-a").value().open + queue.GetRequest("0-b").value().open == 0) return;
          continue;
        }
        TaskCommit commit{.request = task->request,
                          .index = task->index,
                          .token = task->token,
                          .state = TaskState::kPassed,
                          .result = "",
                          .reason = ""};
        EXPECT_EQ(queue.Commit(commit).value(), CommitOutcome::kCommitted);
        std::lock_guard lock(mutex);
        ++committed[{task->request, task->index}];
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(committed.size(), size_t{kTasks});
  for (const auto& [task, times] : committed) EXPECT_EQ(times, 1) << task.first << " " << task.second;
  EXPECT_EQ(View("0-a").counts[TaskState::kPassed] + View("0-b").counts[TaskState::kPassed], uint32_t{kTasks});
}

TEST_F(QueueTest, CancelRacesCommitToOneOutcome) {
  Submit(Request("a", 300));
  std::atomic<int> committed = 0;
  std::thread worker([&] {
    while (std::optional<LeasedTask> task = Lease()) {
      CommitOutcome outcome = Commit(*task);
      EXPECT_TRUE(outcome == CommitOutcome::kCommitted || outcome == CommitOutcome::kCancelled);
      if (outcome == CommitOutcome::kCommitted) ++committed;
    }
  });
  while (committed < 20) std::this_thread::yield();
  EXPECT_TRUE(queue_->Cancel("0-a").ok());
  worker.join();
  RequestView view = View("0-a");
  EXPECT_EQ(view.open, 0u);
  EXPECT_EQ(view.counts[TaskState::kPassed], static_cast<uint32_t>(committed));
  EXPECT_EQ(view.counts[TaskState::kCancelled], 300u - committed);
}

// Submits as a coordinator does that dies before its last batch.
class HalfWrittenTest : public QueueTest {
 protected:
  HalfWrittenTest() {
    request_.idempotency_key = "key";
    calls_ = SubmitCalls(request_, Options());
    EXPECT_EQ(calls_.size(), 3u);
    Send(calls_[0]);
    Send(calls_[0]);
    Send(calls_[1]);
  }
  void Send(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), Key("meta"));
    EXPECT_TRUE(Open()->Run(FindScript("submit"), arguments, absl::Now() + absl::Seconds(5)).ok());
  }

  QueuedRequest request_ = Request("a", 2500);
  std::vector<std::vector<std::string>> calls_;
};

TEST_F(HalfWrittenTest, NobodySeesItUntilTheLastBatch) {
  EXPECT_EQ(View("0-a").state, RequestState::kPlanning);
  EXPECT_EQ(View("0-a").counts[TaskState::kReady], 2000u);
  EXPECT_FALSE(Lease());
  Maintain();
  Submit(request_);  // the coordinator's client asks again
  EXPECT_EQ(View("0-a").state, RequestState::kActive);
  EXPECT_EQ(View("0-a").counts[TaskState::kReady], 2500u);
  EXPECT_EQ(Lease()->index, 0u);
}

TEST_F(HalfWrittenTest, ItIsDroppedInTheEnd) {
  Redis({"ZADD", Key("unfinished"), "XX", "1", "0-a"});
  Maintain();
  EXPECT_EQ(queue_->GetRequest("0-a").status().code(), absl::StatusCode::kNotFound);
  Reply keys = Redis({"KEYS", "*0-a*"});
  EXPECT_THAT(Elements(keys.get()), IsEmpty());
  EXPECT_THAT(queue_->ListRequests("default", 10, "").value().first, IsEmpty());
  request_.id = "0-b";
  EXPECT_EQ(Submit(request_), "0-b");  // its key is free
}

TEST_F(HalfWrittenTest, ItCanBeCancelled) {
  EXPECT_TRUE(queue_->Cancel("0-a").ok());
  EXPECT_EQ(View("0-a").counts[TaskState::kCancelled], 2500u);
  EXPECT_EQ(View("0-a").open, 0u);
  Send(calls_[2]);  // the coordinator was only slow
  EXPECT_EQ(View("0-a").state, RequestState::kCancelled);
  EXPECT_FALSE(Lease());
}

TEST(QueueOverTcp, Works) {
  const RedisServer server(
      {.password = "secret", .config = {"bind 127.0.0.1 -::1"}, .port = RedisOptions::Port::kPlain});
  for (std::string host : {"127.0.0.1", "localhost", "[::1]", "redis://127.0.0.1"}) {
    QueueOptions options;
    options.address = fmt::format("{}:{}", host, server.port());
    options.password = "secret";
    absl::StatusOr<std::unique_ptr<Queue>> queue = ConnectQueue(options);
    // Not every machine has IPv6; the address form must be understood all the same.
    if (host == "[::1]" && queue.status().code() == absl::StatusCode::kUnavailable) continue;
    ASSERT_TRUE(queue.ok()) << queue.status();
    EXPECT_TRUE((*queue)->Ping().ok());
  }
}

TEST_F(QueueTest, ACancellationCutShortIsFinishedByMaintenance) {
  Submit(Request("a", 10));
  Rewrite("0-a", "st", "^A ", "C ");
  Redis({"ZADD", Key("unfinished"), "1", "0-a"});
  Maintain();
  EXPECT_EQ(View("0-a").counts[TaskState::kCancelled], 10u);
  EXPECT_EQ(Number(Redis({"EXISTS", Key("unfinished")}).get()), 0);
}

TEST_F(QueueTest, EndedRequestsGoAfterTheirRetentionWithAllTheirKeys) {
  QueuedRequest request = PreparedRequest("a", 2);
  request.idempotency_key = "key";
  Submit(request);
  while (std::optional<LeasedTask> task = Lease()) Commit(*task);
  Maintain();
  EXPECT_EQ(View("0-a").state, RequestState::kDone);
  Redis({"ZADD", Key("ended"), "XX", "1", "0-a"});
  Maintain();
  EXPECT_EQ(queue_->GetRequest("0-a").status().code(), absl::StatusCode::kNotFound);
  // What stays is the farm's: schema and clocks.
  Reply keys = Redis({"KEYS", "*"});
  std::vector<std::string> names;
  for (const redisReply* key : Elements(keys.get())) names.emplace_back(Text(key));
  std::sort(names.begin(), names.end());
  EXPECT_THAT(names, ElementsAre(Key("clock"), Key("meta")));
  Submit(request);
  EXPECT_TRUE(Lease());
}

TEST_F(QueueTest, ATaskTakesAtMost600BytesInEveryState) {
  constexpr int kTasks = 2000;
  auto bytes_per_task = [&] { return MemoryOfAllKeys() / kTasks; };
  std::string digest = std::string(64, 'a') + "/12345678";
  Submit(PreparedRequest("a", kTasks - 1));
  EXPECT_LE(bytes_per_task(), 600);
  Commit(*Lease(RandomHex(16), "worker-of-some-host-0"), TaskState::kPassed, digest);
  EXPECT_LE(bytes_per_task(), 600);
  std::vector<LeasedTask> tasks;
  while (std::optional<LeasedTask> task = Lease(RandomHex(16), "worker-of-some-host-0")) tasks.push_back(*task);
  EXPECT_EQ(tasks.size(), size_t{kTasks - 1});
  EXPECT_LE(bytes_per_task(), 600);
  for (const LeasedTask& task : tasks) Commit(task, TaskState::kPassed, digest);
  EXPECT_LE(bytes_per_task(), 600);
  EXPECT_GT(bytes_per_task(), 50);  // that it is measured at all
}

// Names, digest and key take what they take; the rest of a request of one task is small.
TEST_F(QueueTest, ARequestOfOneTaskTakesLittle) {
  constexpr int kRequests = 1000;
  const std::string spec = "{" + std::string(300, ' ') + "}";
  for (int i = 0; i < kRequests; ++i) {
    QueuedRequest request = Request(RandomHex(16));
    request.request_digest = RandomHex(32);
    request.idempotency_key = RandomHex(16);
    request.spec = spec;
    Submit(request);
  }
  EXPECT_LE(MemoryOfAllKeys() / kRequests, 1200 + spec.size());
  while (const auto task = Lease()) Commit(*task, TaskState::kPassed, std::string(64, 'a') + "/12345678");
  EXPECT_LE(MemoryOfAllKeys() / kRequests, 1400 + spec.size());
}

}  // namespace
}  // namespace slipway
