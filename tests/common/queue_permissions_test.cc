// The queue as a user that may do what a farm needs, and no more.
#include <algorithm>
#include <set>

#include "common/queue/permissions.h"
#include "tests/common/followed.h"
#include "tests/common/queue_fixture.h"

namespace slipway {
namespace {

using ::testing::HasSubstr;

class PermissionsTest : public QueueTest {
 protected:
  PermissionsTest() : QueueTest({.password = "secret", .config = {"user slipway on >farm " + PermissionRules("0")}}) {}

  QueueOptions AsUser() const {
    QueueOptions options = Options();
    options.user = "slipway";
    options.password = "farm";
    return options;
  }
  void Allow(const std::string& rule) { Redis({"ACL", "SETUSER", "slipway", rule}); }

  // Every call that coordinators and workers make; each error is one of permissions.
  static void DoEverything(Queue& queue) {
    ASSERT_TRUE(queue.Ping().ok());
    ASSERT_TRUE(queue.FarmId().ok());
    ASSERT_TRUE(queue.NoteStore("disk").ok());
    ASSERT_TRUE(queue.Noted().ok());
    std::atomic<int> heard = 0;
    ASSERT_TRUE(queue.OnCancelled([&](const std::string&) { ++heard; }).ok());
    QueuedRequest request = PreparedRequest("a", 4);
    request.idempotency_key = "key";
    request.sharing = QueuedRequest::Sharing::kJoin;
    request.timeout = absl::Hours(1);
    request.bytes = 100;
    ASSERT_EQ(queue.Submit(request).value(), "0-a");
    ASSERT_EQ(queue.Submit(Request("many", 300)).value(), "0-many");  // more than there are wake-ups
    ASSERT_TRUE(queue.Cancel("0-many").ok());
    ASSERT_TRUE(queue.Delete("0-many").ok());
    ASSERT_TRUE(queue.FindEqual(request.tenant, request.request_digest).value().has_value());
    request.id = "0-joins";
    request.idempotency_key = "another";
    request.priority = 5;
    ASSERT_EQ(queue.Submit(request).value(), "0-a");
    ASSERT_TRUE(queue.Leave("0-a", "another").value());
    Followed changes(queue, "0-a");
    ASSERT_TRUE(changes.status().ok());
    const std::unique_ptr<Changes> others = queue.FollowChanges([](const std::string&) {});
    ASSERT_TRUE(others->Follow("0-a").ok());
    others->Unfollow("0-a");
    ASSERT_TRUE(others->Follow("0-b").ok());  // after the server was told that the other is not followed any more
    const auto lease = [&](const std::string& worker) {
      return queue.AwaitLease({.worker = worker, .token = RandomHex(16), .classes = {"any"}}).value();
    };
    const auto commit = [&](const LeasedTask& task, TaskState state) {
      return queue
          .Commit(
              {.request = task.request, .index = task.index, .token = task.token, .state = state, .result = "result"})
          .value();
    };
    const WorkerView self{.id = "w1", .host = "host", .version = "1", .slots = 1, .classes = {"any", "any+8g"}};
    std::optional<LeasedTask> task = lease("w1");
    ASSERT_TRUE(queue.Progress(*task, "preparing").ok());
    ASSERT_TRUE(queue.Heartbeat(self, {task->token, "unknown"}).ok());
    ASSERT_EQ(commit(*task, TaskState::kPassed), CommitOutcome::kCommitted);
    ASSERT_TRUE(changes.Wait(absl::Now() + absl::Seconds(60)));
    task = lease("w1");
    ASSERT_TRUE(queue.Return(*task, {.delay = absl::Milliseconds(1), .reason = "why"}).ok());
    task = lease("w1");
    ASSERT_TRUE(queue.Return(*task, {.elsewhere = absl::Milliseconds(1), .more_memory = true, .reason = "why"}).ok());
    ASSERT_EQ(queue.Lease({.worker = "w2", .token = "t2", .classes = {"any"}}).value().has_value(), true);
    ASSERT_TRUE(queue.Rouse("w3", 1).ok());
    const LeaseRequest next{.worker = "w3", .token = RandomHex(16), .classes = {"any"}};
    task = queue.AwaitLease(next).value();
    ASSERT_TRUE(task.has_value());
    const CommittedAndLeased both =
        queue.CommitAndLease({.request = task->request, .index = task->index, .token = task->token},
                             {.worker = "w3", .token = RandomHex(16), .classes = {"any"}});
    ASSERT_EQ(both.committed.value(), CommitOutcome::kCommitted);
    ASSERT_TRUE(both.leased.ok());
    ASSERT_TRUE(queue.Maintain().ok());
    ASSERT_TRUE(queue.Depth().ok());
    ASSERT_EQ(queue.ListWorkers().value().size(), 1u);
    ASSERT_EQ(queue.ListTasks("0-a", 0, 100).value().size(), 5u);
    ASSERT_EQ(queue.ListRequests("default", 10, "").value().first.size(), 1u);
    ASSERT_TRUE(queue.Cancel("0-a").ok());
    ASSERT_GT(queue.Retry("0-a").value(), 0u);
    ASSERT_TRUE(queue.Cancel("0-a").ok());
    ASSERT_TRUE(queue.Maintain().ok());
    ASSERT_EQ(queue.GetRequest("0-a").value().state, RequestState::kCancelled);
    ASSERT_TRUE(queue.Delete("0-a").ok());
    ASSERT_TRUE(queue.RemoveWorker("w1").ok());
    const absl::Time patience = absl::Now() + absl::Seconds(60);
    while (heard == 0 && absl::Now() < patience) std::this_thread::yield();
    ASSERT_GT(heard, 0);
  }
};

TEST_F(PermissionsTest, AreEnoughForAllThatAFarmDoesAndNoneIsTooMany) {
  Redis({"CONFIG", "RESETSTAT"});
  Redis({"SCRIPT", "FLUSH"});
  const std::unique_ptr<Queue> queue = ConnectQueue(AsUser()).value();
  DoEverything(*queue);
  // The rules' commands are those that were called.
  const Reply reply = Redis({"INFO", "commandstats"});
  const std::string_view stats = Text(reply.get());
  const std::string rules = PermissionRules("0");
  for (size_t at = rules.find(" +"); at != std::string::npos; at = rules.find(" +", at + 1)) {
    const std::string command = rules.substr(at + 2, rules.find(' ', at + 2) - at - 2);
    EXPECT_THAT(stats, HasSubstr("cmdstat_" + command + ":")) << "nobody needs +" << command;
  }
  EXPECT_EQ(Elements(Redis({"ACL", "LOG"}).get()).size(), 0u);  // nothing was denied
}

TEST_F(PermissionsTest, WhatIsNotTheFarmsIsRefused) {
  Redis({"SET", "others", "secret"});
  absl::Time deadline = absl::Now() + absl::Seconds(5);
  Endpoint endpoint = MakeEndpoint(AsUser()).value();
  const std::unique_ptr<Connection> connection = Connection::Open(endpoint, deadline).value();
  const std::vector<std::vector<std::string>> commands = {
      {"GET", "others"},
      {"GET", "{slipway:1}:v5:meta"},
      {"KEYS", "*"},
      {"FLUSHALL"},
      {"CONFIG", "GET", "*"},
      {"SHUTDOWN", "NOSAVE"},
      {"PUBLISH", "others", "x"},
      {"SUBSCRIBE", "others"},
      {"EVAL", "return redis.call('GET', 'others')", "1", Key("meta")},
      {"EVAL", "return redis.call('FLUSHALL')", "1", Key("meta")}};
  for (const std::vector<std::string>& command : commands)
    EXPECT_EQ(connection->Call(command, deadline).status().code(), absl::StatusCode::kPermissionDenied) << command[0];
  EXPECT_TRUE(connection->Call(std::vector<std::string>{"GET", Key("nothing")}, deadline).ok());
  // Neither is another shard.
  QueueOptions other = AsUser();
  other.shard = "1";
  EXPECT_EQ(ConnectQueue(other).status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(PermissionsTest, TheErrorNamesTheRuleThatIsMissing) {
  const std::unique_ptr<Queue> queue = ConnectQueue(AsUser()).value();
  const std::string all = PermissionRules("0");
  const auto expect = [&](const absl::Status& status, const std::string& rule) {
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << rule;
    EXPECT_THAT(Message(status), HasSubstr(rule));
    EXPECT_THAT(Message(status), HasSubstr(all));
  };
  // Of a farm that runs.
  const LeaseRequest wait{.worker = "w", .token = "t", .classes = {"any"}};
  ASSERT_TRUE(queue->AwaitLease(wait).ok());
  Allow("-blpop");
  Allow("-zadd");
  expect(queue->Heartbeat({.id = "w"}, {}).status(), "can't run this command");  // one of the script's
  expect(queue->AwaitLease(wait).status(), "+blpop is missing");
  // Before any work: all that is missing.
  expect(ConnectQueue(AsUser()).status(),
         "Redis user slipway may not do all that a farm needs: it lacks the commands +blpop +zadd,");
  Allow("+@all");
  EXPECT_TRUE(ConnectQueue(AsUser()).ok());
  Allow("resetchannels");
  expect(ConnectQueue(AsUser()).status(),
         "lacks the commands +publish +subscribe, or may not use them on the farm's keys and channels");
  Allow("resetkeys");
  expect(queue->Heartbeat({.id = "w"}, {}).status(), "~{slipway:0}:* is missing");
  expect(ConnectQueue(AsUser()).status(), "~{slipway:0}:* is missing");
  Allow("-info");
  expect(ConnectQueue(AsUser()).status(), "+info is missing");
}

TEST_F(PermissionsTest, WhoIsUnknownIsRefused) {
  QueueOptions options = AsUser();
  options.user = "nobody";
  EXPECT_EQ(ConnectQueue(options).status().code(), absl::StatusCode::kPermissionDenied);
  options = AsUser();
  options.password = "wrong";
  EXPECT_EQ(ConnectQueue(options).status().code(), absl::StatusCode::kPermissionDenied);
  options.password = "";
  EXPECT_EQ(ConnectQueue(options).status().code(), absl::StatusCode::kInvalidArgument);
}

// docs/operations.md prints the rules for whoever runs Redis.
TEST_F(PermissionsTest, TheManualPrintsThem) {
  const std::string manual = ReadFile(SLIPWAY_SOURCE_DIR "/docs/operations.md").value();
  EXPECT_NE(manual.find("user slipway on >PASSWORD " + PermissionRules("0") + "\n"), std::string::npos);
}

}  // namespace
}  // namespace slipway
