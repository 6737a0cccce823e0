// What a real server may be in the middle of, and a cluster's nodes.
#include <filesystem>
#include <thread>

#include "tests/common/followed.h"
#include "tests/common/queue_fixture.h"

namespace slipway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

bool Eventually(const std::function<bool()>& condition) {
  for (const absl::Time patience = absl::Now() + absl::Seconds(60); absl::Now() < patience; std::this_thread::yield()) {
    if (condition()) return true;
  }
  return false;
}

class ServerTest : public QueueTest {
 protected:
  // Past all that Open asks, which such a server would refuse.
  std::unique_ptr<Connection> Dial() const {
    return Connection::Dial(MakeEndpoint(Options()).value(), {}, Soon()).value();
  }
  static absl::Time Soon() { return absl::Now() + absl::Seconds(60); }
  void ExpectUnavailable(const absl::Status& status, const std::string& word) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_THAT(Message(status), HasSubstr(word));
  }
};

TEST_F(ServerTest, WhileItLoadsCallsAreUnavailable) {
  Submit(Request("a"));
  // Much to load, slowly: while it does, the server looks for calls each KiB.
  Redis({"EVAL", "for i = 1, 2000 do redis.call('SET', 'ballast:' .. i, string.rep('x', 500)) end", "0"});
  Redis({"CONFIG", "SET", "rdbcompression", "no"});
  Redis({"SAVE"});
  redis_.Kill9();
  redis_.Start({"key-load-delay 10000", "loading-process-events-interval-bytes 1024"});
  absl::Status status;
  ASSERT_TRUE(Eventually([&] {
    status = queue_->Ping();
    return status.ok() || Message(status).find("LOADING") != std::string::npos;
  }));
  ExpectUnavailable(status, "LOADING");
  ExpectUnavailable(ConnectQueue(Options()).status(), "LOADING");
  ASSERT_TRUE(Dial()->Call(std::vector<std::string>{"CONFIG", "SET", "key-load-delay", "0"}, Soon()).ok());
  EXPECT_TRUE(Eventually([&] { return queue_->Ping().ok(); }));
  EXPECT_TRUE(Lease());
}

TEST_F(ServerTest, WhileItRunsAScriptOfAnothersCallsAreUnavailable) {
  Submit(Request("a"));
  Redis({"CONFIG", "SET", "busy-reply-threshold", "1"});
  const std::unique_ptr<Connection> other = Open();
  const std::unique_ptr<Connection> killer = Open();
  ASSERT_TRUE(other->Send(std::vector<std::string>{"EVAL", "while true do end", "0"}, Soon()).ok());
  absl::Status status;
  ASSERT_TRUE(Eventually([&] {
    status = queue_->Ping();
    return !status.ok();
  }));
  ExpectUnavailable(status, "BUSY");
  ExpectUnavailable(queue_->Lease({.worker = "w", .token = "t", .classes = {"any"}}).status(), "BUSY");
  ASSERT_TRUE(killer->Call(std::vector<std::string>{"SCRIPT", "KILL"}, Soon()).ok());
  ASSERT_TRUE(Eventually([&] { return queue_->Ping().ok(); }));
  EXPECT_TRUE(Lease());
}

TEST_F(ServerTest, WhileItCannotSaveCallsAreUnavailable) {
  Submit(Request("a"));
  const std::filesystem::path in_the_way = redis_.folder() / "dump.rdb";
  std::filesystem::create_directory(in_the_way);
  Redis({"CONFIG", "SET", "save", "3600 1"});
  const auto save = [&](const std::string& outcome) {
    Redis({"BGSAVE"});
    return Eventually([&] {
      const Reply info = Redis({"INFO", "persistence"});
      return InfoField(Text(info.get()), "rdb_bgsave_in_progress") == "0" &&
             InfoField(Text(info.get()), "rdb_last_bgsave_status") == outcome;
    });
  };
  // Of a connection that has looked at the farm before; a new one is refused at its first look.
  const std::unique_ptr<Connection> redis = Dial();
  ASSERT_TRUE(save("err"));
  ExpectUnavailable(queue_->Submit(Request("b")).status(), "MISCONF");
  ExpectUnavailable(queue_->Lease({.worker = "w", .token = "t", .classes = {"any"}}).status(), "MISCONF");
  std::filesystem::remove(in_the_way);
  ASSERT_TRUE(redis->Call(std::vector<std::string>{"BGSAVE"}, Soon()).ok());
  EXPECT_TRUE(Eventually([&] { return queue_->Submit(Request("b")).ok(); }));
  EXPECT_TRUE(Lease());
}

TEST_F(ServerTest, WhileItLacksReplicasCallsAreUnavailable) {
  Submit(Request("a"));
  Redis({"CONFIG", "SET", "min-replicas-to-write", "1"});
  ExpectUnavailable(queue_->Submit(Request("b")).status(), "NOREPLICAS");
  ExpectUnavailable(queue_->Lease({.worker = "w", .token = "t", .classes = {"any"}}).status(), "NOREPLICAS");
  ASSERT_TRUE(Dial()->Call(std::vector<std::string>{"CONFIG", "SET", "min-replicas-to-write", "0"}, Soon()).ok());
  EXPECT_TRUE(Lease());
}

TEST_F(ServerTest, AReplicaIsLeftAndComeBackToWhenItIsAMaster) {
  Submit(Request("a"));
  Redis({"REPLICAOF", "127.0.0.1", "1"});
  ExpectUnavailable(queue_->Submit(Request("b")).status(), "READONLY");
  ASSERT_TRUE(Dial()->Call(std::vector<std::string>{"REPLICAOF", "NO", "ONE"}, Soon()).ok());
  EXPECT_TRUE(queue_->Submit(Request("b")).ok());
}

TEST_F(ServerTest, AReplicaThatTakesWritesIsRefused) {
  Submit(Request("a"));
  Redis({"CONFIG", "SET", "replica-read-only", "no"});
  Redis({"REPLICAOF", "127.0.0.1", "1"});
  ExpectUnavailable(ConnectQueue(Options()).status(), "replica");
}

// One before 7.0 knows other commands.
TEST(OldServerTest, IsRefused) {
  const RedisServer redis({.config = {"rename-command INFO \"\""}});
  const absl::Status status = ConnectQueue({.address = redis.address()}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), HasSubstr("7.0"));
}

// --- clusters

class ClusterTest : public ::testing::Test {
 protected:
  static std::unique_ptr<RedisServer> Node() {
    return std::make_unique<RedisServer>(
        RedisOptions{.config = {"cluster-enabled yes"}, .port = RedisOptions::Port::kPlain});
  }
  static Reply Ask(const RedisServer& node, const std::vector<std::string>& command) {
    Endpoint endpoint = MakeEndpoint({.address = node.address()}).value();
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    return Connection::Dial(endpoint, {}, deadline).value()->Call(command, deadline).value();
  }
  static bool Serves(const RedisServer& node) {
    return Text(Ask(node, {"CLUSTER", "INFO"}).get()).find("cluster_state:ok") != std::string_view::npos;
  }
  static std::unique_ptr<Queue> Connect(const RedisServer& node) {
    return ConnectQueue({.address = node.tcp_address()}).value();
  }
  static void Work(Queue& queue, const std::string& id) {
    Followed changes(queue, id);
    ASSERT_TRUE(changes.status().ok());
    ASSERT_EQ(queue.Submit({.id = id, .request_digest = "d", .spec = "s", .tasks = {{.index = 0}}}).value(), id);
    const std::optional<LeasedTask> task = queue.AwaitLease({.worker = "w", .token = id, .classes = {"any"}}).value();
    ASSERT_TRUE(task);
    EXPECT_TRUE(changes.Wait(absl::Now() + absl::Seconds(60)));
    EXPECT_EQ(queue.Commit({.request = id, .index = 0, .token = id}).value(), CommitOutcome::kCommitted);
    EXPECT_TRUE(queue.Maintain().ok());
    EXPECT_EQ(queue.GetRequest(id).value().state, RequestState::kDone);
  }
};

TEST_F(ClusterTest, OneNodeWithAllSlots) {
  const auto node = Node();
  Ask(*node, {"CLUSTER", "ADDSLOTSRANGE", "0", "16383"});
  ASSERT_TRUE(Eventually([&] { return Serves(*node); }));
  Work(*Connect(*node), "0-a");
}

TEST_F(ClusterTest, AnyNodeLeadsToTheOneWithTheFarmAlsoAfterItHasMoved) {
  const auto one = Node(), two = Node();
  const std::string slot = std::to_string(Number(Ask(*one, {"CLUSTER", "KEYSLOT", "{slipway:0}"}).get()));
  for (int i = 0; i < 16384; i += 4096)
    Ask(i < 8192 ? *one : *two, {"CLUSTER", "ADDSLOTSRANGE", std::to_string(i), std::to_string(i + 4095)});
  const bool first_has_it = std::stoi(slot) < 8192;
  const RedisServer &has = first_has_it ? *one : *two, &other = first_has_it ? *two : *one;
  Ask(*two, {"CLUSTER", "SET-CONFIG-EPOCH", "2"});
  Ask(*one, {"CLUSTER", "MEET", "127.0.0.1", std::to_string(two->port())});
  ASSERT_TRUE(Eventually([&] { return Serves(*one) && Serves(*two); }));
  const std::unique_ptr<Queue> queue = Connect(other);
  Work(*queue, "0-a");
  EXPECT_EQ(Number(Ask(has, {"CLUSTER", "COUNTKEYSINSLOT", slot}).get()) > 0, true);

  // The slot moves, its keys do not: an empty farm at the other node.
  const std::string id(Text(Ask(other, {"CLUSTER", "MYID"}).get()));
  Ask(has, {"FLUSHALL"});
  Ask(other, {"CLUSTER", "SETSLOT", slot, "NODE", id});
  Ask(has, {"CLUSTER", "SETSLOT", slot, "NODE", id});
  ASSERT_TRUE(Eventually([&] { return queue->Ping().ok() && queue->Depth().ok(); }));
  Work(*queue, "0-b");
  EXPECT_GT(Number(Ask(other, {"CLUSTER", "COUNTKEYSINSLOT", slot}).get()), 0);
}

TEST(RedisAddresses, AreReadAsTheirUsersWriteThem) {
  const auto server = [](std::string_view text) { return RedisAddress::Parse(text).value().server.ToString(); };
  EXPECT_EQ(server("redis:6379"), "redis:6379");
  EXPECT_EQ(server("redis://redis:6379/0"), "redis:6379");
  EXPECT_EQ(server("rediss://[fd00::1]:6380/"), "[fd00::1]:6380");
  EXPECT_TRUE(RedisAddress::Parse("rediss://redis:6380").value().encrypted);
  EXPECT_FALSE(RedisAddress::Parse("redis:6380").value().encrypted);
  for (const char* port :
       {"0", "65536", "4294973675", "-1", "+1"})  // the fourth is 6379 for those who count in 32 bits
    EXPECT_FALSE(RedisAddress::Parse(fmt::format("redis:{}", port)).ok()) << port;
  EXPECT_FALSE(RedisAddress::Parse("redis://redis:6379/1").ok());  // another database is not the farm's
  const RedisAddress watched = RedisAddress::Parse("sentinel:my-farm@s1,[fd00::2]:7000,s3:26380").value();
  EXPECT_EQ(watched.master, "my-farm");
  std::vector<std::string> sentinels;
  for (const ServerAddress& sentinel : watched.sentinels) sentinels.push_back(sentinel.ToString());
  EXPECT_THAT(sentinels, ElementsAre("s1:26379", "[fd00::2]:7000", "s3:26380"));
}

TEST(RedisErrors, SayWhatToDoNext) {
  const auto code = [](std::string_view reply) { return ErrorReply(reply).code(); };
  for (const char* reply : {"LOADING Redis is loading", "READONLY You can't", "MASTERDOWN Link", "MOVED 1 a:1",
                            "ASK 1 a:1", "TRYAGAIN Multiple keys", "CLUSTERDOWN The", "NOREPLICAS Not", "BUSY Redis",
                            "MISCONF Redis", "UNBLOCKED force unblock"})
    EXPECT_EQ(code(reply), absl::StatusCode::kUnavailable) << reply;
  EXPECT_EQ(code("OOM command not allowed"), absl::StatusCode::kResourceExhausted);
  for (const char* reply : {"NOAUTH Authentication", "WRONGPASS invalid"})
    EXPECT_THAT(Message(ErrorReply(reply)), testing::HasSubstr("--redis-password-file")) << reply;
  for (const char* reply : {"NOAUTH Authentication", "WRONGPASS invalid", "NOPERM this user",
                            "ERR The user executing the script can't", "ERR ACL failure in script: User"})
    EXPECT_EQ(code(reply), absl::StatusCode::kPermissionDenied) << reply;
  EXPECT_EQ(code("ERR wrong number of arguments"), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace slipway
