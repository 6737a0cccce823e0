// Tenants: shares and quotas.
#include <algorithm>
#include <map>

#include "tests/common/queue_fixture.h"

namespace slipway {
namespace {

using ::testing::HasSubstr;

class TenantTest : public QueueTest {
 protected:
  static QueuedRequest Of(const std::string& tenant, const std::string& name, int tasks = 1) {
    QueuedRequest request = Request(name, tasks);
    request.tenant = tenant;
    return request;
  }
  void Limit(const std::string& tenant, const TenantLimits& limits) {
    QueueOptions options = Options();
    options.tenants[tenant] = limits;
    queue_ = ConnectQueue(options).value();
  }
  // How many of the next `count` tasks are each tenant's.
  std::map<std::string, int> Served(int count) {
    std::map<std::string, int> served;
    for (int i = 0; i < count; ++i) {
      LeasedTask task = *Lease();
      ++served[task.tenant];
      Commit(task);
    }
    return served;
  }
  void ExpectRefused(const QueuedRequest& request, const std::string& quota, const std::string& hint) {
    absl::Status status = queue_->Submit(request).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(Message(status), ::testing::StartsWith("tenant " + request.tenant + ": quota of " + quota));
    EXPECT_THAT(Message(status), HasSubstr(hint));
    EXPECT_EQ(queue_->GetRequest(request.id).status().code(), absl::StatusCode::kNotFound);
  }
};

TEST_F(TenantTest, ATenantOfManyRequestsHasTheShareOfATenantOfOne) {
  for (int i = 0; i < 100; ++i) Submit(Of("many", "m" + std::to_string(i), 5));
  Submit(Of("one", "o", 60));
  std::map<std::string, int> served = Served(100);
  EXPECT_NEAR(served["one"], 50, 1);
  EXPECT_NEAR(served["many"], 50, 1);
}

TEST_F(TenantTest, AHugeBatchDoesNotStarveASmallOneThatComesLater) {
  Submit(Of("huge", "h", 3000));
  Served(500);
  Submit(Of("small", "s", 10));
  EXPECT_GE(Served(20)["small"], 9);
}

TEST_F(TenantTest, WithinATenantRequestsShareEvenly) {
  Submit(Of("a", "a1", 100));
  Submit(Of("b", "b1", 100));
  Submit(Of("b", "b2", 100));
  std::map<std::string, int> served;
  for (int i = 0; i < 40; ++i) ++served[Lease()->request];
  EXPECT_NEAR(served["0-a1"], 20, 1);
  EXPECT_NEAR(served["0-b1"], 10, 1);
  EXPECT_NEAR(served["0-b2"], 10, 1);
}

TEST_F(TenantTest, WeightsAreShares) {
  Limit("heavy", {.weight = 3});
  Submit(Of("heavy", "h", 100));
  Submit(Of("light", "l", 100));
  std::map<std::string, int> served = Served(80);
  EXPECT_NEAR(served["heavy"], 60, 1);
  EXPECT_NEAR(served["light"], 20, 1);
}

TEST_F(TenantTest, PriorityOrdersATenantsOwnRequestsOnly) {
  QueuedRequest urgent = Of("loud", "urgent", 40);
  urgent.priority = 100;
  Submit(Of("loud", "later", 40));
  Submit(urgent);
  Submit(Of("quiet", "q", 40));
  std::map<std::string, int> served;
  for (int i = 0; i < 40; ++i) ++served[Lease()->request];
  EXPECT_NEAR(served["0-q"], 20, 1);
  EXPECT_NEAR(served["0-urgent"], 20, 1);
  EXPECT_EQ(served["0-later"], 0);
}

// Who comes and goes with single tasks gains nothing over who stays.
TEST_F(TenantTest, LeavingAndComingBackGainsNothing) {
  Submit(Of("stays", "s", 100));
  Submit(Of("comes", "c0"));
  std::map<std::string, int> served;
  for (int i = 0; i < 40; ++i) {
    LeasedTask task = *Lease();
    ++served[task.tenant];
    Commit(task);
    if (task.tenant == "comes") Submit(Of("comes", "c" + std::to_string(i + 1)));
  }
  EXPECT_NEAR(served["stays"], 20, 1);
}

TEST_F(TenantTest, OpenTasksAreLimited) {
  Limit("small", {.open_tasks = 10});
  Submit(Of("small", "a", 6));
  ExpectRefused(Of("small", "b", 5), "open tasks: 10 at most, 6 in use, 5 more", "when some have ended");
  ExpectRefused(Of("small", "c", 11), "open tasks", "split it");
  Submit(Of("other", "d", 50));
  Submit(Of("small", "a", 6));  // a repetition is no second request
  Submit(Of("small", "e", 4));
  EXPECT_TRUE(queue_->Cancel("0-e").ok());
  Submit(Of("small", "f", 4));
  while (std::optional<LeasedTask> task = Lease()) Commit(*task);
  Submit(Of("small", "g", 10));
}

TEST_F(TenantTest, AHalfWrittenRequestThatIsDroppedFreesItsQuota) {
  Limit("small", {.open_tasks = 3000});
  Submit(Of("small", "a", 1500));
  Redis({"HSET", Key("request:0-a"), "s", "P"});
  Redis({"ZADD", Key("unfinished"), "1", "0-a"});
  ExpectRefused(Of("small", "b", 3000), "open tasks", "when some have ended");
  Maintain();
  Submit(Of("small", "b", 3000));
}

TEST_F(TenantTest, BytesOfOpenRequestsAreLimited) {
  Limit("small", {.bytes = 1000});
  QueuedRequest a = Of("small", "a"), b = Of("small", "b");
  a.bytes = 600;
  b.bytes = 500;
  Submit(a);
  ExpectRefused(b, "bytes: 1000 at most, 600 in use, 500 more", "when some have ended");
  Commit(*Lease(), TaskState::kFailed);
  Submit(b);
  EXPECT_EQ(queue_->Retry("0-a").value(), 1u);
  b.id = "0-c";
  b.bytes = 0;
  Submit(b);
  b.id = "0-d";
  b.bytes = 1;
  ExpectRefused(b, "bytes", "1100 in use");
}

TEST_F(TenantTest, RequestsAMinuteAreLimited) {
  Limit("busy", {.requests_per_minute = 3});
  for (const char* name : {"a", "b", "c"}) Submit(Of("busy", name));
  ExpectRefused(Of("busy", "d"), "requests a minute: 3 at most", "try again in 20 s");
  Submit(Of("busy", "a"));  // a repetition
  Submit(Of("other", "e"));
  // Twenty seconds pass: one more.
  int64_t ahead = std::stoll(std::string(Text(Redis({"GET", Key("rate:busy")}).get())));
  Redis({"SET", Key("rate:busy"), std::to_string(ahead - 20'000)});
  Submit(Of("busy", "d"));
  ExpectRefused(Of("busy", "f"), "requests a minute", "try again in");
}

TEST_F(TenantTest, ImpossibleWeightsAreRefused) {
  for (double weight : {0.0, -1.0, 1000.0}) {
    QueueOptions options = Options();
    options.tenants["a"].weight = weight;
    EXPECT_EQ(ConnectQueue(options).status().code(), absl::StatusCode::kInvalidArgument) << weight;
  }
}

}  // namespace
}  // namespace slipway
