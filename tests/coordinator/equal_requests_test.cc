// Which requests stand for equal ones, over real gRPC, Redis and store.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/rpc/status.h"
#include "common/task/task.h"
#include "proto/slipway/v1/export.grpc.pb.h"
#include "tests/support/farm.h"

namespace slipway {
namespace {

using testing::HasSubstr;

class EqualRequestsTest : public testing::Test {
 protected:
  EqualRequestsTest() : exports(v1::ExportService::NewStub(farm.OpenChannel())) { SignOn("b1"); }

  // All workers are of this build from now on.
  void SignOn(const std::string& build) {
    EXPECT_TRUE(farm.queue->Heartbeat({.id = "test-worker", .version = "0.1.0+" + build, .classes = {"any"}}, {}).ok());
  }
  static v1::SubmitRequest Request(const std::string& key, bool no_verify = false) {
    v1::SubmitRequest request;
    request.set_idempotency_key(key);
    v1::ModelSpec& model = *request.add_models();
    model.set_name("lite");
    model.set_kind(v1::SOURCE_KIND_DUMMY);
    model.set_architecture("lite");
    v1::Pair& pair = *request.add_pairs();
    pair.set_target("onnx");
    pair.set_precision("fp32");
    request.mutable_options()->set_no_verify(no_verify);
    return request;
  }
  std::string Submit(const v1::SubmitRequest& request) {
    grpc::ClientContext context;
    v1::SubmitResponse response;
    const absl::Status status = FromGrpc(exports->Submit(&context, request, &response), context);
    EXPECT_TRUE(status.ok()) << status;
    return response.request_id();
  }
  absl::StatusOr<bool> Cancel(const std::string& id, const std::string& key, bool for_all = false) {
    grpc::ClientContext context;
    v1::CancelRequest request;
    request.set_request_id(id);
    request.set_idempotency_key(key);
    request.set_for_all(for_all);
    v1::CancelResponse response;
    RETURN_IF_ERROR(FromGrpc(exports->Cancel(&context, request, &response), context));
    return response.goes_on();
  }
  v1::RequestInfo Info(const std::string& id) {
    grpc::ClientContext context;
    v1::GetRequest request;
    request.set_request_id(id);
    v1::GetResponse response;
    EXPECT_TRUE(exports->Get(&context, request, &response).ok());
    return response.request();
  }
  // As a worker of build b1 would: the preparation, then the cell with one file.
  void Make(TaskState cell_state = TaskState::kPassed) {
    TaskResult prepared;
    prepared.entry = "{}";
    farm.Commit(*farm.Lease(), TaskState::kPassed, prepared.ToJson());
    TaskResult cell;
    cell.entry = R"({"build": "b1"})";
    cell.files = {{"lite.onnx", WriteBlob(*farm.store, kTenant, "the artifact").value()}};
    farm.Commit(*farm.Lease(), cell_state, cell.ToJson(), cell_state == TaskState::kPassed ? "" : "why");
  }

  TestFarm farm;
  std::unique_ptr<v1::ExportService::Stub> exports;
};

TEST_F(EqualRequestsTest, OneUnderWayIsShared) {
  const std::string id = Submit(Request("k1"));
  EXPECT_EQ(Submit(Request("k2")), id);
  EXPECT_EQ(Info(id).waiters(), 2u);
  v1::SubmitRequest urgent = Request("k3");
  urgent.set_priority(7);
  EXPECT_EQ(Submit(urgent), id);
  EXPECT_EQ(Info(id).priority(), 7);
  v1::SubmitRequest fresh = Request("k4");
  fresh.set_fresh(true);
  EXPECT_NE(Submit(fresh), id);
  EXPECT_NE(Submit(Request("k5", /*no_verify=*/true)), id);

  EXPECT_TRUE(Cancel(id, "k1").value());
  EXPECT_TRUE(Cancel(id, "k3").value());
  EXPECT_EQ(Info(id).state(), v1::REQUEST_STATE_ACTIVE);
  EXPECT_EQ(Info(id).priority(), 0);
  EXPECT_FALSE(Cancel(id, "k2").value());
  EXPECT_EQ(Info(id).state(), v1::REQUEST_STATE_CANCELLED);
}

TEST_F(EqualRequestsTest, WhoDoesNotWaitCancelsForAllOrNot) {
  const std::string id = Submit(Request("k1"));
  Submit(Request("k2"));
  const absl::Status refused = Cancel(id, "").status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_EQ(KindOf(refused), ErrorKind::kUsage);
  EXPECT_THAT(Message(refused), HasSubstr("2 wait for request"));
  EXPECT_EQ(Info(id).state(), v1::REQUEST_STATE_ACTIVE);
  EXPECT_FALSE(Cancel(id, "", /*for_all=*/true).value());
  EXPECT_EQ(Info(id).state(), v1::REQUEST_STATE_CANCELLED);
  EXPECT_TRUE(Cancel(id, "").ok());  // nothing is left to end
}

TEST_F(EqualRequestsTest, OneThatMadeEverythingServesOnTheSameBuild) {
  const std::string id = Submit(Request("k1"));
  Make();
  EXPECT_EQ(Submit(Request("k2")), id);
  v1::SubmitRequest fresh = Request("k3");
  fresh.set_fresh(true);
  EXPECT_NE(Submit(fresh), id);
}

TEST_F(EqualRequestsTest, AnotherBuildMakesItAgain) {
  const std::string id = Submit(Request("k1"));
  Make();
  SignOn("b2");
  EXPECT_NE(Submit(Request("k2")), id);
}

TEST_F(EqualRequestsTest, WithoutWorkersOrWithSeveralBuildsItIsMadeAgain) {
  const std::string id = Submit(Request("k1"));
  Make();
  ASSERT_TRUE(farm.queue->Heartbeat({.id = "old", .version = "0.1.0+b0", .classes = {"any"}}, {}).ok());
  const std::string second = Submit(Request("k2"));
  EXPECT_NE(second, id);
  Make();
  for (const char* worker : {"old", "test-worker"}) ASSERT_TRUE(farm.queue->RemoveWorker(worker).ok());
  EXPECT_NE(Submit(Request("k3")), second);
}

TEST_F(EqualRequestsTest, OneThatFellShortIsMadeAgain) {
  std::string last = Submit(Request("k0"));
  for (const TaskState state : {TaskState::kFailed, TaskState::kParityFailed, TaskState::kUnverified}) {
    Make(state);
    const std::string next = Submit(Request("k" + std::string(Name(state))));
    EXPECT_NE(next, last) << Name(state);
    last = next;
  }
}

TEST_F(EqualRequestsTest, UnverifiedIsAllThatWasAskedFor) {
  const std::string id = Submit(Request("k1", /*no_verify=*/true));
  Make(TaskState::kUnverified);
  EXPECT_EQ(Submit(Request("k2", /*no_verify=*/true)), id);
}

TEST_F(EqualRequestsTest, OneWhoseFilesAreGoneIsMadeAgain) {
  const std::string id = Submit(Request("k1"));
  Make();
  int removed = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(farm.store_root())) {
    if (!entry.is_regular_file() || ReadFile(entry.path()).value_or("") != "the artifact") continue;
    std::filesystem::remove(entry.path());
    ++removed;
    break;
  }
  ASSERT_EQ(removed, 1);
  EXPECT_NE(Submit(Request("k2")), id);
}

// Figures of the farm would be those of one request.
TEST_F(EqualRequestsTest, MeasurementsAreNeverShared) { EXPECT_NE(Submit(NoopRequest(1)), Submit(NoopRequest(1))); }

}  // namespace
}  // namespace slipway
