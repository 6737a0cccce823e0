// ExportService and FleetService over real gRPC, Redis and store. Watch has its own file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "common/base/retry_after.h"
#include "common/queue/connection.h"
#include "common/rpc/status.h"
#include "common/task/task.h"
#include "coordinator/service/class_service.h"
#include "proto/slipway/v1/export.grpc.pb.h"
#include "proto/slipway/v1/fleet.grpc.pb.h"
#include "tests/support/farm.h"

namespace slipway {
namespace {

using testing::HasSubstr;

class ExportServiceTest : public testing::Test {
 protected:
  ExportServiceTest()
      : exports(v1::ExportService::NewStub(farm.OpenChannel())), fleet(v1::FleetService::NewStub(farm.OpenChannel())) {}

  absl::StatusOr<v1::SubmitResponse> Submit(const v1::SubmitRequest& request) {
    grpc::ClientContext context;
    v1::SubmitResponse response;
    RETURN_IF_ERROR(FromGrpc(exports->Submit(&context, request, &response), context));
    return response;
  }
  absl::StatusOr<v1::GetResponse> Get(const std::string& id, uint32_t page_size = 0,
                                      const std::string& page_token = "") {
    grpc::ClientContext context;
    v1::GetRequest request;
    request.set_request_id(id);
    request.set_page_size(page_size);
    request.set_page_token(page_token);
    v1::GetResponse response;
    RETURN_IF_ERROR(FromGrpc(exports->Get(&context, request, &response), context));
    return response;
  }
  absl::Status Cancel(const std::string& id) {
    grpc::ClientContext context;
    v1::CancelRequest request;
    request.set_request_id(id);
    v1::CancelResponse response;
    return FromGrpc(exports->Cancel(&context, request, &response), context);
  }
  absl::StatusOr<v1::RetryResponse> Retry(const std::string& id) {
    grpc::ClientContext context;
    v1::RetryRequest request;
    request.set_request_id(id);
    v1::RetryResponse response;
    RETURN_IF_ERROR(FromGrpc(exports->Retry(&context, request, &response), context));
    return response;
  }
  absl::Status Delete(const std::string& id) {
    grpc::ClientContext context;
    v1::DeleteRequest request;
    request.set_request_id(id);
    v1::DeleteResponse response;
    return FromGrpc(exports->Delete(&context, request, &response), context);
  }
  absl::StatusOr<v1::ListResponse> List(uint32_t page_size, const std::string& page_token) {
    grpc::ClientContext context;
    v1::ListRequest request;
    request.set_page_size(page_size);
    request.set_page_token(page_token);
    v1::ListResponse response;
    RETURN_IF_ERROR(FromGrpc(exports->List(&context, request, &response), context));
    return response;
  }
  // One ONNX model in two pairs; its file is `bytes`.
  v1::SubmitRequest OnnxRequest(std::string_view bytes) {
    v1::SubmitRequest request = NoopRequest(1);
    v1::ModelSpec& model = *request.mutable_models(0);
    model.set_kind(v1::SOURCE_KIND_ONNX);
    const Digest digest = Digest::Of(bytes);
    v1::InputFile& file = *model.add_files();
    file.set_path("model.onnx");
    file.mutable_digest()->set_sha256(digest.Hex());
    file.mutable_digest()->set_bytes(digest.bytes);
    v1::Pair& pair = *request.add_pairs();
    pair.set_target("ncnn");
    pair.set_precision("fp32");
    return request;
  }

  TestFarm farm;
  std::unique_ptr<v1::ExportService::Stub> exports;
  std::unique_ptr<v1::FleetService::Stub> fleet;
};

TEST_F(ExportServiceTest, CellsOpenWhenTheirPrepareCommits) {
  WriteBlob(*farm.store, kTenant, "weights").value();
  const std::string id = Submit(OnnxRequest("weights")).value().request_id();
  EXPECT_THAT(id, testing::MatchesRegex("0-[0-9a-f]{32}"));

  const std::optional<LeasedTask> prepare = farm.Lease();
  ASSERT_TRUE(prepare.has_value());
  EXPECT_EQ(prepare->index, 0u);
  EXPECT_FALSE(farm.Lease().has_value());  // the cells are blocked
  const RequestSpec spec = RequestSpec::FromJson(prepare->spec).value();
  EXPECT_EQ(spec.models.at(0).files.at(0).digest, Digest::Of(std::string_view("weights")));

  v1::GetResponse before = Get(id).value();
  ASSERT_EQ(before.cells_size(), 3);
  EXPECT_EQ(before.spec_json(), prepare->spec);
  EXPECT_EQ(before.request().state(), v1::REQUEST_STATE_ACTIVE);
  EXPECT_EQ(before.request().cells(), 3u);
  EXPECT_EQ(before.request().open(), 3u);
  EXPECT_EQ(before.request().counts().at("blocked"), 2u);
  EXPECT_EQ(before.request().counts().at("running"), 1u);

  farm.Commit(*prepare, TaskState::kPassed, "prepare's result");
  const std::optional<LeasedTask> cell = farm.Lease();
  ASSERT_TRUE(cell.has_value());
  farm.Commit(*cell, TaskState::kFailed, "", "no such operator");
  const std::optional<LeasedTask> other = farm.Lease();
  ASSERT_TRUE(other.has_value());
  farm.Commit(*other, TaskState::kUnverified, "cell's result", "no judge");

  const v1::GetResponse after = Get(id).value();
  EXPECT_EQ(after.request().state(), v1::REQUEST_STATE_DONE);
  EXPECT_EQ(after.request().open(), 0u);
  std::map<uint32_t, v1::Cell> cells;
  for (const v1::Cell& seen : after.cells()) cells[seen.index()] = seen;
  EXPECT_EQ(cells.at(0).target(), "");
  EXPECT_EQ(cells.at(0).state(), v1::CELL_STATE_PASSED);
  EXPECT_EQ(cells.at(0).result().sha256(), Digest::Of(std::string_view("prepare's result")).Hex());
  EXPECT_EQ(cells.at(1).model(), "m0");
  EXPECT_EQ(cells.at(1).target(), "onnx");
  EXPECT_EQ(cells.at(1).precision(), "fp32");
  EXPECT_EQ(cells.at(1).state(), v1::CELL_STATE_FAILED);
  EXPECT_EQ(cells.at(1).reason(), "no such operator");
  EXPECT_EQ(cells.at(1).worker(), "test-worker");
  EXPECT_EQ(cells.at(1).attempts(), 1);
  EXPECT_FALSE(cells.at(1).has_result());
  EXPECT_EQ(cells.at(2).target(), "ncnn");
  EXPECT_EQ(cells.at(2).state(), v1::CELL_STATE_UNVERIFIED);
  EXPECT_EQ(cells.at(2).result().bytes(), std::string_view("cell's result").size());
}

TEST_F(ExportServiceTest, RefusesAnImpossibleRequest) {
  v1::SubmitRequest request = NoopRequest(1);
  request.mutable_pairs(0)->set_target("paper");
  const absl::Status status = Submit(request).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_EQ(KindOf(status), ErrorKind::kUsage);
  EXPECT_THAT(Message(status), HasSubstr("pairs[0].target: \"paper\" is unknown; use one of onnx"));
  EXPECT_EQ(List(10, "").value().requests_size(), 0);
}

TEST_F(ExportServiceTest, NamesMissingBlobs) {
  const absl::Status status = Submit(OnnxRequest("never uploaded")).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(Message(status), HasSubstr(Digest::Of(std::string_view("never uploaded")).ToString()));
  EXPECT_EQ(List(10, "").value().requests_size(), 0);
}

TEST_F(ExportServiceTest, SameKeyJoinsTheEarlierRequest) {
  v1::SubmitRequest request = NoopRequest(2);
  request.set_idempotency_key("once");
  const v1::SubmitResponse first = Submit(request).value();
  EXPECT_FALSE(first.joined());
  const v1::SubmitResponse again = Submit(request).value();
  EXPECT_TRUE(again.joined());
  EXPECT_EQ(again.request_id(), first.request_id());
  EXPECT_EQ(farm.CommitAll(), 2);  // not four

  request.mutable_models(0)->set_name("another");
  const absl::Status status = Submit(request).status();
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
  EXPECT_EQ(KindOf(status), ErrorKind::kUsage);

  request.clear_idempotency_key();
  EXPECT_NE(Submit(request).value().request_id(), Submit(request).value().request_id());
}

TEST_F(ExportServiceTest, GetGivesPages) {
  const std::string id = Submit(NoopRequest(5)).value().request_id();
  std::set<std::string> models;
  std::string token;
  int pages = 0;
  do {
    const v1::GetResponse page = Get(id, 2, token).value();
    EXPECT_LE(page.cells_size(), 2);
    for (const v1::Cell& cell : page.cells()) EXPECT_TRUE(models.insert(cell.model()).second);
    token = page.next_page_token();
    ++pages;
  } while (!token.empty());
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(models, (std::set<std::string>{"m0", "m1", "m2", "m3", "m4"}));
}

TEST_F(ExportServiceTest, RefusesWhatIsNoRequest) {
  const absl::Status unknown = Get("0-00000000000000000000000000000000").status();
  EXPECT_TRUE(absl::IsNotFound(unknown)) << unknown;
  EXPECT_TRUE(absl::IsNotFound(Cancel("0-00000000000000000000000000000000")));
  for (const std::string& id :
       {std::string(), std::string("a b"), std::string("x\r\nFLUSHALL"), std::string("}*"), std::string(1000, 'a')}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Get(id).status())) << id;
    EXPECT_TRUE(absl::IsInvalidArgument(Cancel(id))) << id;
  }
  const std::string id = Submit(NoopRequest(1)).value().request_id();
  EXPECT_TRUE(absl::IsInvalidArgument(Get(id, 0, "next").status()));
}

TEST_F(ExportServiceTest, AnotherTenantsRequestIsNotFound) {
  QueuedRequest other{.id = "0-abc",
                      .tenant = "other",
                      .request_digest = "d",
                      .spec = Digest::Of(std::string_view("s")).ToString(),
                      .tasks = {{}}};
  ASSERT_TRUE(farm.queue->Submit(other).ok());
  EXPECT_TRUE(absl::IsNotFound(Get("0-abc").status()));
  EXPECT_TRUE(absl::IsNotFound(Cancel("0-abc")));
  EXPECT_TRUE(absl::IsNotFound(Retry("0-abc").status()));
  EXPECT_TRUE(absl::IsNotFound(Delete("0-abc")));
  EXPECT_EQ(farm.queue->GetRequest("0-abc").value().state, RequestState::kActive);
}

TEST_F(ExportServiceTest, CancelEndsAllCells) {
  const std::string id = Submit(NoopRequest(3)).value().request_id();
  const std::optional<LeasedTask> running = farm.Lease();
  ASSERT_TRUE(running.has_value());
  ASSERT_EQ(Cancel(id), absl::OkStatus());
  ASSERT_EQ(Cancel(id), absl::OkStatus());
  const v1::GetResponse response = Get(id).value();
  EXPECT_EQ(response.request().state(), v1::REQUEST_STATE_CANCELLED);
  EXPECT_EQ(response.request().open(), 0u);
  for (const v1::Cell& cell : response.cells()) EXPECT_EQ(cell.state(), v1::CELL_STATE_CANCELLED);
  EXPECT_FALSE(farm.Lease().has_value());
}

TEST_F(ExportServiceTest, RetryOpensFailedCellsAgain) {
  const std::string id = Submit(NoopRequest(2)).value().request_id();
  const LeasedTask first = *farm.Lease();
  ASSERT_TRUE(farm.queue->Return(first, {.reason = "no space"}).ok());
  farm.Commit(*farm.Lease(), TaskState::kFailed, "", "damaged");
  farm.Commit(*farm.Lease(), TaskState::kPassed);
  const v1::GetResponse ended = Get(id).value();
  const auto failed = std::find_if(ended.cells().begin(), ended.cells().end(),
                                   [&](const v1::Cell& cell) { return cell.index() == first.index; });
  ASSERT_NE(failed, ended.cells().end());
  ASSERT_EQ(failed->attempt_reasons_size(), 2);
  EXPECT_THAT(failed->attempt_reasons(0), HasSubstr("no space"));
  EXPECT_THAT(failed->attempt_reasons(1), HasSubstr("damaged"));
  EXPECT_EQ(Retry(id).value().cells(), 1u);
  EXPECT_EQ(Get(id).value().request().state(), v1::REQUEST_STATE_ACTIVE);
  EXPECT_EQ(farm.CommitAll(), 1);
  EXPECT_EQ(Get(id).value().request().counts().at("passed"), 2u);
  EXPECT_TRUE(absl::IsNotFound(Retry("0-none").status()));
}

TEST_F(ExportServiceTest, DeleteForgetsAnEndedRequest) {
  const std::string id = Submit(NoopRequest(1)).value().request_id();
  EXPECT_TRUE(absl::IsFailedPrecondition(Delete(id)));
  EXPECT_EQ(farm.CommitAll(), 1);
  EXPECT_EQ(Delete(id), absl::OkStatus());
  EXPECT_TRUE(absl::IsNotFound(Get(id).status()));
  EXPECT_TRUE(absl::IsNotFound(Delete(id)));
}

TEST_F(ExportServiceTest, ATimeoutCancelsWhatHasNotEnded) {
  v1::SubmitRequest request = NoopRequest(1);
  request.set_timeout_seconds(1);
  const std::string id = Submit(request).value().request_id();
  // The coordinator's own maintenance cancels it, and the watch ends with it.
  grpc::ClientContext context;
  v1::WatchRequest watch;
  watch.set_request_id(id);
  const auto stream = exports->Watch(&context, watch);
  for (v1::WatchResponse change; stream->Read(&change);) {
  }
  ASSERT_TRUE(stream->Finish().ok());
  const v1::GetResponse response = Get(id).value();
  ASSERT_EQ(response.cells_size(), 1);
  EXPECT_EQ(response.cells(0).state(), v1::CELL_STATE_CANCELLED);
  EXPECT_THAT(response.cells(0).reason(), HasSubstr("timeout of 1 s"));
  request.set_timeout_seconds(4'000'000'000);
  const absl::Status refused = Submit(request).status();
  EXPECT_TRUE(absl::IsInvalidArgument(refused));
  EXPECT_THAT(Message(refused), HasSubstr("timeout_seconds: 4000000000 is not in 0 to 31536000"));
}

TEST_F(ExportServiceTest, ListGivesPagesNewestFirst) {
  std::vector<std::string> expected;
  for (int i = 0; i < 5; ++i) expected.insert(expected.begin(), Submit(NoopRequest(1 + i)).value().request_id());
  std::vector<std::string> seen;
  std::string token;
  do {
    const v1::ListResponse page = List(2, token).value();
    EXPECT_LE(page.requests_size(), 2);
    for (const v1::RequestInfo& info : page.requests()) seen.push_back(info.request_id());
    token = page.next_page_token();
  } while (!token.empty());
  EXPECT_EQ(seen, expected);
  const absl::Status refused = List(2, "zz").status();
  EXPECT_TRUE(absl::IsInvalidArgument(refused)) << refused;
  EXPECT_EQ(KindOf(refused), ErrorKind::kUsage);
  EXPECT_THAT(Message(refused), HasSubstr("page_token: "));
}

TEST_F(ExportServiceTest, RedisLostIsUnavailable) {
  const std::string id = Submit(NoopRequest(1)).value().request_id();
  farm.redis.Kill9();
  EXPECT_TRUE(absl::IsUnavailable(Get(id).status()));
  const absl::Status status = Submit(NoopRequest(1)).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_EQ(KindOf(status), ErrorKind::kMachine);
}

// Tasks of a class that nobody serves: the cell says which, the queue that nobody does.
TEST_F(ExportServiceTest, TasksThatNoWorkerTakesAreTold) {
  WorkerView worker{.id = "w1", .slots = 4, .classes = {"any", "onnxruntime"}};
  ASSERT_TRUE(farm.queue->Heartbeat(worker, {}).ok());
  v1::SubmitRequest request = NoopRequest(2);
  v1::ModelSpec& model = *request.add_models();
  model.set_name("lite");
  model.set_kind(v1::SOURCE_KIND_DUMMY);
  model.set_architecture("lite");
  request.mutable_pairs(0)->set_target("tflite");
  const std::string id = Submit(request).value().request_id();
  const auto classes = [&] {
    grpc::ClientContext context;
    v1::GetQueueResponse queue;
    EXPECT_TRUE(fleet->GetQueue(&context, {}, &queue).ok());
    std::map<std::string, std::tuple<int, int, int>> told;
    for (const v1::QueueClass& tasks : queue.classes())
      told[tasks.name()] = {tasks.ready(), tasks.workers(), tasks.slots()};
    return told;
  };
  using Told = std::map<std::string, std::tuple<int, int, int>>;
  EXPECT_EQ(classes(), (Told{{"any", {2, 1, 4}}, {"onnxruntime", {1, 1, 4}}}));
  // Whose last word is an hour old is counted no more, whatever the time is where the coordinator runs.
  EXPECT_THAT(ServiceOf(std::vector<WorkerView>{{.classes = {"any"}, .silent = absl::Hours(1)}}), testing::IsEmpty());
  EXPECT_EQ(
      ServiceOf(std::vector<WorkerView>{{.slots = 2, .classes = {"any"}, .last_seen = absl::UnixEpoch()}})["any"].slots,
      2);
  TaskResult prepared;
  prepared.entry = "{}";
  const LeaseRequest preparation{.worker = "w1", .token = "token", .classes = {"onnxruntime"}};
  farm.Commit(farm.queue->Lease(preparation).value().value(), TaskState::kPassed, prepared.ToJson());
  EXPECT_EQ(classes(), (Told{{"any", {2, 1, 4}}, {"onnxruntime", {0, 1, 4}}, {"litert", {1, 0, 0}}}));
  std::map<std::string, int> cells;
  const v1::GetResponse got = Get(id).value();
  for (const v1::Cell& cell : got.cells()) ++cells[cell.task_class()];
  EXPECT_EQ(cells, (std::map<std::string, int>{{"any", 2}, {"onnxruntime", 1}, {"litert", 1}}));
}

TEST_F(ExportServiceTest, ListWorkersGivesPages) {
  for (const char* id : {"w3", "w1", "w2"}) {
    const WorkerView worker{.id = id,
                            .host = "host",
                            .version = "0.1.0",
                            .slots = 4,
                            .busy = 1,
                            .classes = {"any"},
                            .task_memory_bytes = 7};
    ASSERT_TRUE(farm.queue->Heartbeat(worker, {}).ok());
  }
  std::vector<std::string> seen;
  v1::ListWorkersRequest request;
  request.set_page_size(2);
  do {
    grpc::ClientContext context;
    v1::ListWorkersResponse page;
    ASSERT_TRUE(fleet->ListWorkers(&context, request, &page).ok());
    EXPECT_LE(page.workers_size(), 2);
    for (const v1::Worker& worker : page.workers()) {
      seen.push_back(worker.id());
      EXPECT_EQ(worker.slots(), 4u);
      EXPECT_EQ(worker.busy(), 1u);
      EXPECT_EQ(worker.host(), "host");
      EXPECT_EQ(worker.classes(0), "any");
      EXPECT_EQ(worker.task_memory_bytes(), 7u);
      EXPECT_GT(worker.last_seen().seconds(), 1'600'000'000);
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(seen, (std::vector<std::string>{"w1", "w2", "w3"}));
}

// Redis is nobody to those who submit.
TEST_F(ExportServiceTest, AFullQueueSaysWhatToDo) {
  const auto deadline = absl::Now() + absl::Seconds(20);
  const Endpoint redis = MakeEndpoint({.address = farm.redis.address()}).value();
  const std::vector<std::string> fill = {"CONFIG", "SET", "maxmemory", "100kb"};
  ASSERT_TRUE(Connection::Open(redis, deadline).value()->Call(fill, deadline).ok());
  const absl::Status full = Submit(NoopRequest(1)).status();
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  EXPECT_EQ(KindOf(full), ErrorKind::kMachine);
  EXPECT_TRUE(RetryAfterOf(full).has_value());
  EXPECT_THAT(Message(full), testing::AllOf(HasSubstr("the farm's queue is full"), HasSubstr("slipway delete")));
  EXPECT_THAT(Message(full), testing::Not(HasSubstr("command not allowed")));
}

}  // namespace
}  // namespace slipway
