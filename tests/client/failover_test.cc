// Several coordinators of one farm, and coordinators that are too busy.
#include <gmock/gmock.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <set>
#include <thread>

#include "client/lib/farm_client.h"
#include "common/base/retry_after.h"
#include "proto/slipway/v1/blob.grpc.pb.h"
#include "proto/slipway/v1/export.grpc.pb.h"
#include "tests/client/command.h"
#include "tests/support/farm.h"
#include "tests/support/silent_proxy.h"

namespace slipway {
namespace {

using testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Seconds(20);  // only a failing test has it to the end

// A coordinator that is stuck: what it is asked, it does not answer.
class StuckCoordinator final : public v1::ExportService::Service {
 public:
  explicit StuckCoordinator(const std::string& address) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials());
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~StuckCoordinator() override { server_->Shutdown(std::chrono::system_clock::now()); }

 private:
  grpc::Status List(grpc::ServerContext* context, const v1::ListRequest*, v1::ListResponse*) override {
    while (!context->IsCancelled()) absl::SleepFor(absl::Milliseconds(5));
    return grpc::Status::CANCELLED;
  }
  std::unique_ptr<grpc::Server> server_;
};

// A farm that loses every blob before it is used.
class ForgetfulFarm {
 public:
  explicit ForgetfulFarm(const std::string& address) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials());
    builder.RegisterService(&exports_);
    builder.RegisterService(&blobs_);
    server_ = builder.BuildAndStart();
  }
  ~ForgetfulFarm() { server_->Shutdown(std::chrono::system_clock::now()); }

  int submitted() const { return exports_.submitted; }

 private:
  struct Exports final : v1::ExportService::Service {
    grpc::Status Submit(grpc::ServerContext*, const v1::SubmitRequest*, v1::SubmitResponse*) override {
      ++submitted;
      return {grpc::StatusCode::FAILED_PRECONDITION, "input blobs are missing; upload them and submit again: x"};
    }
    std::atomic<int> submitted = 0;
  };
  struct Blobs final : v1::BlobService::Service {
    grpc::Status FindMissing(grpc::ServerContext*, const v1::FindMissingRequest*, v1::FindMissingResponse*) override {
      return grpc::Status::OK;
    }
  };
  Exports exports_;
  Blobs blobs_;
  std::unique_ptr<grpc::Server> server_;
};

// Not the user's fault, and not for ever.
TEST(ForgetfulFarmTest, IsTheMachinesFault) {
  Sandbox box;
  box.File("m.onnx", "x");
  const std::string address = "unix:" + (box.work() / "f.sock").string();
  const ForgetfulFarm farm(address);
  const Ended ended = box.Run({"export", "m.onnx", "--target", "onnx", "--server", address});
  EXPECT_EQ(ended.code, 5) << ended.out;
  EXPECT_THAT(ended.err, HasSubstr("the farm lost what it was sent, 4 times in a row: input blobs are missing"));
  EXPECT_EQ(farm.submitted(), 4);
}

class FailoverTest : public testing::Test {
 protected:
  FailoverTest() { coordinators_[1] = Start(Address(1)); }

  std::string Address(int i) const { return i == 0 ? farm_.address() : "unix:" + (farm_.folder() / "b.sock").string(); }
  std::unique_ptr<Coordinator> Start(const std::string& address, size_t waiting = 1000) {
    return Coordinator::Start({.listen = {address}, .max_waiting_calls = waiting}, *farm_.queue, *farm_.store).value();
  }
  std::unique_ptr<FarmClient> Connect(const std::string& servers, absl::Duration patience = kPatience) {
    return FarmClient::Connect(servers, absl::Now() + kPatience, {.patience = patience}).value();
  }
  // One that uses the first of `servers`.
  std::unique_ptr<FarmClient> ConnectToFirst(const std::string& servers, FarmClientOptions options = {}) {
    options.patience = kPatience;
    while (true) {
      auto client = FarmClient::Connect(servers, absl::Now() + kPatience, options).value();
      if (client->server() == servers.substr(0, servers.find(','))) return client;
    }
  }
  // The coordinator that the client uses is gone, for good.
  void KillTheOneInUse(const FarmClient& client) {
    if (client.server() == Address(0)) {
      farm_.StopCoordinator();
    } else {
      coordinators_[1].reset();
    }
  }

  TestFarm farm_;
  std::map<int, std::unique_ptr<Coordinator>> coordinators_;
  std::string both_ = Address(0) + "," + Address(1);
};

TEST_F(FailoverTest, AWatchGoesOnAtAnotherFromItsCursor) {
  const auto client = Connect(both_);
  const std::string first = client->server();
  const std::string id = client->Submit(NoopRequest(3)).value().request_id();
  const LeasedTask task = farm_.Lease().value();
  std::map<uint32_t, std::set<uint64_t>> versions;
  std::map<uint32_t, v1::CellState> states;
  int told = 0;
  bool killed = false;
  const absl::Status status = client->Watch(id, {}, [&](const v1::WatchResponse& change) {
    for (const v1::Cell& cell : change.cells()) {
      ++told;
      EXPECT_TRUE(versions[cell.index()].insert(cell.version()).second) << "told twice";
      states[cell.index()] = cell.state();
    }
    if (killed || states.size() < 3) return;
    killed = true;
    KillTheOneInUse(*client);
    farm_.Commit(task, TaskState::kPassed);
    farm_.CommitAll(TaskState::kUnverified);
  });
  EXPECT_EQ(status, absl::OkStatus());
  EXPECT_TRUE(killed);
  EXPECT_NE(client->server(), first);
  ASSERT_EQ(states.size(), 3u);
  for (const auto& [index, state] : states)
    EXPECT_EQ(state, index == task.index ? v1::CELL_STATE_PASSED : v1::CELL_STATE_UNVERIFIED);
}

TEST_F(FailoverTest, ASubmitIsRepeatedAtAnotherAsTheSameRequest) {
  const auto client = Connect(both_);
  v1::SubmitRequest request = NoopRequest(2);
  request.set_idempotency_key("once");
  const std::string id = client->Submit(request).value().request_id();
  KillTheOneInUse(*client);
  const v1::SubmitResponse again = client->Submit(request).value();
  EXPECT_EQ(again.request_id(), id);
  EXPECT_TRUE(again.joined());
  EXPECT_EQ(client->Get(id).value().cells.size(), 2u);
  EXPECT_EQ(client->List(10).value().size(), 1u);
}

TEST_F(FailoverTest, BlobsTravelThroughAnother) {
  const auto client = Connect(both_);
  const Digest before = client->UploadBytes("before").value();
  KillTheOneInUse(*client);
  const Digest after = client->UploadBytes("after").value();
  EXPECT_EQ(client->DownloadBytes(before).value(), "before");
  EXPECT_EQ(client->FindMissing(std::vector<Digest>{before, after}).value(), std::vector<Digest>{});
}

// Nothing is closed, nothing comes: as when its host hangs, or the network between drops everything. And nothing has happened before for so long that
// the client has asked several times whether it is still there.
TEST_F(FailoverTest, AQuietWatchLeavesACoordinatorThatFellSilent) {
  SilentProxy proxy(Address(0));
  const auto client = ConnectToFirst(proxy.address() + "," + Address(1));
  const std::string id = client->Submit(NoopRequest(1)).value().request_id();
  const int connections = proxy.connections();
  std::atomic<bool> told = false, over = false;
  absl::Status ended = absl::UnknownError("");
  std::jthread watcher([&] {
    ended = client->Watch(id, {}, [&](const v1::WatchResponse&) { told = true; });
    over = true;
  });
  const auto wait_until = [](const auto& condition) {
    const absl::Time deadline = absl::Now() + kPatience;
    while (!condition() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(5));
  };
  wait_until([&] { return told && proxy.pings() >= 3; });
  EXPECT_GE(proxy.pings(), 3);
  EXPECT_EQ(proxy.connections(), connections);  // nor does the coordinator mind
  proxy.SilenceAll();
  farm_.CommitAll();
  wait_until([&] { return over.load(); });
  client->Shutdown();  // or it would wait for ever, if it does not leave
  watcher.join();
  EXPECT_EQ(ended, absl::OkStatus());
  EXPECT_EQ(client->server(), Address(1));
}

TEST_F(FailoverTest, ACallGoesOnAtAnotherWhenItsCoordinatorIsSilent) {
  SilentProxy proxy(Address(0));
  const auto client = ConnectToFirst(proxy.address() + "," + Address(1));
  proxy.SilenceAll();
  EXPECT_EQ(client->UploadBytes(std::string(5 << 20, 'x')).status(), absl::OkStatus());
  EXPECT_EQ(client->server(), Address(1));
}

TEST_F(FailoverTest, ACallThatIsNotAnsweredIsMadeAtAnother) {
  const std::string address = "unix:" + (farm_.folder() / "stuck.sock").string();
  const StuckCoordinator stuck(address);
  const auto client = ConnectToFirst(address + "," + Address(1), {.call_timeout = absl::Seconds(2)});
  EXPECT_EQ(client->List(1).status(), absl::OkStatus());
  EXPECT_EQ(client->server(), Address(1));
}

// Many clients, so that those are among them that look at the dead one first.
TEST_F(FailoverTest, TheOneThatAnswersIsUsed) {
  const std::string dead = "unix:" + (farm_.folder() / "nobody.sock").string();
  for (int i = 0; i < 10; ++i) {
    const auto client = Connect(dead + "," + Address(1));
    EXPECT_EQ(client->server(), Address(1));
    EXPECT_TRUE(client->List(1).ok());
  }
}

TEST_F(FailoverTest, ClientsSpreadOverCoordinators) {
  std::set<std::string> used;
  for (int i = 0; i < 200 && used.size() < 2; ++i) used.insert(Connect(both_)->server());
  EXPECT_EQ(used, (std::set<std::string>{Address(0), Address(1)}));
}

TEST_F(FailoverTest, WithoutAnyTheErrorNamesAll) {
  const std::string dead = "unix:/nonexistent/a.sock,unix:/nonexistent/b.sock";
  const absl::Status status = FarmClient::Connect(dead, absl::Now() + kPatience).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(Message(status), HasSubstr("unix:/nonexistent/a.sock, unix:/nonexistent/b.sock"));
  for (const char* malformed : {"", ",", "unix:/a,", "unix:/a,,unix:/b", "host"})
    EXPECT_TRUE(absl::IsInvalidArgument(FarmClient::Connect(malformed, absl::Now() + kPatience).status())) << malformed;
}

TEST_F(FailoverTest, AllGoneIsUnavailable) {
  const auto client = Connect(both_, absl::Milliseconds(300));
  farm_.StopCoordinator();
  coordinators_.clear();
  EXPECT_TRUE(absl::IsUnavailable(client->List(1).status()));
}

// --- overload

TEST_F(FailoverTest, ABusyCoordinatorSaysWhenToComeAgain) {
  coordinators_[1].reset();
  coordinators_[1] = Start(Address(1), /*waiting=*/0);
  std::vector<absl::Duration> waits;
  FarmClientOptions options{.patience = absl::Milliseconds(700)};
  options.on_busy = [&](const std::string& why, absl::Duration wait) {
    EXPECT_THAT(why, HasSubstr("too many calls"));
    waits.push_back(wait);
  };
  const auto client = FarmClient::Connect(Address(1), absl::Now() + kPatience, options).value();
  const absl::Status status = client->List(1).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(RetryAfterOf(status), absl::Milliseconds(500));
  // Told once a call: as long as it was asked to, and up to a quarter more.
  ASSERT_EQ(waits.size(), 1u);
  EXPECT_GE(waits[0], absl::Milliseconds(500));
  EXPECT_LE(waits[0], absl::Milliseconds(625));
}

TEST_F(FailoverTest, ACallGoesOnWhenTheCoordinatorHasTime) {
  coordinators_[1].reset();
  coordinators_[1] = Start(Address(1), /*waiting=*/0);
  FarmClientOptions options{.patience = kPatience};
  options.on_busy = [&](const std::string&, absl::Duration) {
    coordinators_[1].reset();
    coordinators_[1] = Start(Address(1));
  };
  const auto client = FarmClient::Connect(Address(1), absl::Now() + kPatience, options).value();
  v1::SubmitRequest request = NoopRequest(1);
  request.set_idempotency_key("once");
  EXPECT_EQ(client->Submit(request).status(), absl::OkStatus());
}

TEST_F(FailoverTest, AQuotaOfRequestsSaysWhenItIsTheTenantsTurn) {
  const auto queue = ConnectQueue({.address = farm_.redis.address(), .limits = {.requests_per_minute = 1}}).value();
  coordinators_[2] =
      Coordinator::Start({.listen = {"unix:" + (farm_.folder() / "quota.sock").string()}}, *queue, *farm_.store)
          .value();
  const auto client = Connect(coordinators_[2]->addresses()[0], absl::Seconds(5));
  ASSERT_TRUE(client->Submit(NoopRequest(1)).ok());
  // A minute is more than the client's patience, so it does not begin to wait.
  const absl::Status status = client->Submit(NoopRequest(1)).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  ASSERT_TRUE(RetryAfterOf(status));
  EXPECT_GT(*RetryAfterOf(status), absl::Seconds(5));
  EXPECT_LE(*RetryAfterOf(status), absl::Seconds(60));
  EXPECT_THAT(Message(status),
              testing::StartsWith("tenant default: quota of requests a minute: 1 at most; try again in"));
  coordinators_.erase(2);
}

// Waiting would not make the request smaller.
TEST_F(FailoverTest, WhatNoQuotaWillEverAllowIsRefusedWithoutWaiting) {
  const auto queue = ConnectQueue({.address = farm_.redis.address(), .limits = {.open_tasks = 1}}).value();
  coordinators_[2] =
      Coordinator::Start({.listen = {"unix:" + (farm_.folder() / "quota.sock").string()}}, *queue, *farm_.store)
          .value();
  std::atomic<bool> waited = false;
  const auto client =
      FarmClient::Connect(coordinators_[2]->addresses()[0], absl::Now() + kPatience,
                          {.patience = absl::Seconds(5), .on_overdue = [&](auto&&...) { waited = true; }})
          .value();
  const absl::Status status = client->Submit(NoopRequest(2)).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(KindOf(status), ErrorKind::kUsage);
  EXPECT_THAT(Message(status), testing::EndsWith("it is too large by itself: split it"));
  EXPECT_FALSE(waited);
  coordinators_.erase(2);
}

TEST_F(FailoverTest, TheUserIsTold) {
  coordinators_[1].reset();
  coordinators_[1] = Start(Address(1), /*waiting=*/0);
  Sandbox box;
  const auto listing = box.Start({"list", "--server", Address(1)});
  while (listing->ErrorsSoFar().find("trying again in") == std::string::npos) absl::SleepFor(absl::Milliseconds(5));
  coordinators_[1].reset();
  coordinators_[1] = Start(Address(1));
  const Ended ended = listing->Wait();
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("slipway: the coordinator has too many calls waiting; trying again in 0."));
}

}  // namespace
}  // namespace slipway
