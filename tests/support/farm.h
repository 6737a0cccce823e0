// A small farm in one test: a real redis-server, a local store, the queue over it, and a coordinator that serves gRPC on a Unix socket. The test is its worker.
#pragma once

#include <grpcpp/channel.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/time/clock.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/random.h"
#include "common/queue/queue.h"
#include "common/rpc/address.h"
#include "common/rpc/endpoint.h"
#include "common/store/store.h"
#include "common/task/task_class.h"
#include "coordinator/service/coordinator.h"
#include "proto/slipway/v1/export.pb.h"
#include "tests/support/redis.h"

namespace slipway {

constexpr char kTenant[] = "default";

class TestFarm {
 public:
  TestFarm() : folder_(TemporaryFolder::Create(TemporaryFolder::ShortParent(), "slipway-test-").value()) {
    store = OpenLocalStore({.root = folder_.path() / "store", .ephemeral = true}).value();
    queue = ConnectQueue({.address = redis.address()}).value();
    StartCoordinator();
  }
  ~TestFarm() { StopCoordinator(); }

  void StartCoordinator() { coordinator = Coordinator::Start({.listen = {address()}}, *queue, *store).value(); }
  void StopCoordinator() { coordinator.reset(); }

  std::string address() const { return "unix:" + (folder_.path() / "api.sock").string(); }
  std::shared_ptr<grpc::Channel> OpenChannel() const { return slipway::OpenChannel(Address::Parse(address()).value()); }
  std::filesystem::path store_root() const { return folder_.path() / "store"; }
  const std::filesystem::path& folder() const { return folder_.path(); }

  // --- as a worker
  // The next ready task; none: nothing is ready.
  std::optional<LeasedTask> Lease() {
    return queue->Lease({.worker = "test-worker", .token = RandomHex(16), .classes = AllClasses()}).value();
  }
  void Commit(const LeasedTask& task, TaskState state, std::string_view result = "", std::string_view reason = "") {
    const std::string digest = result.empty() ? "" : WriteBlob(*store, kTenant, result).value().ToString();
    ASSERT_EQ(queue
                  ->Commit({.request = task.request,
                            .index = task.index,
                            .token = task.token,
                            .state = state,
                            .result = digest,
                            .reason = std::string(reason)})
                  .value(),
              CommitOutcome::kCommitted);
  }
  // Leases and commits until nothing is ready; returns how many.
  int CommitAll(TaskState state = TaskState::kPassed) {
    int committed = 0;
    while (const std::optional<LeasedTask> task = Lease()) {
      Commit(*task, state);
      ++committed;
    }
    return committed;
  }

  RedisServer redis;
  std::unique_ptr<Store> store;
  std::unique_ptr<Queue> queue;
  std::unique_ptr<Coordinator> coordinator;

 private:
  TemporaryFolder folder_;
};

// `models` models of kind noop, each in one pair: as many cells, ready at once.
inline v1::SubmitRequest NoopRequest(int models) {
  v1::SubmitRequest request;
  for (int i = 0; i < models; ++i) {
    v1::ModelSpec& model = *request.add_models();
    model.set_name("m" + std::to_string(i));
    model.set_kind(v1::SOURCE_KIND_NOOP);
  }
  v1::Pair& pair = *request.add_pairs();
  pair.set_target("onnx");
  pair.set_precision("fp32");
  return request;
}

}  // namespace slipway
