// ExportService: requests in and out of the queue. Stateless: any coordinator serves any request.
#pragma once

#include <string>

#include "common/queue/queue.h"
#include "common/store/store.h"
#include "coordinator/planner/spec_cache.h"
#include "coordinator/service/caller.h"
#include "coordinator/service/executor.h"
#include "coordinator/watch/watch_hub.h"
#include "proto/slipway/v1/export.grpc.pb.h"

namespace slipway {

class ExportService final : public v1::ExportService::CallbackService {
 public:
  static constexpr uint32_t kMaxPage = 500;

  // Borrows all; the executor's end must come before theirs. `shard` begins the ids of new requests.
  ExportService(std::string shard, Queue& queue, Store& store, SpecCache& specs, WatchHub& watches,
                const Access& access, Executor& executor)
      : shard_(std::move(shard)),
        queue_(queue),
        store_(store),
        specs_(specs),
        watches_(watches),
        access_(access),
        executor_(executor) {}

  grpc::ServerUnaryReactor* Submit(grpc::CallbackServerContext* context, const v1::SubmitRequest* request,
                                   v1::SubmitResponse* response) override;
  grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext* context, const v1::GetRequest* request,
                                v1::GetResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchResponse>* Watch(grpc::CallbackServerContext* context,
                                                     const v1::WatchRequest* request) override;
  grpc::ServerUnaryReactor* Cancel(grpc::CallbackServerContext* context, const v1::CancelRequest* request,
                                   v1::CancelResponse* response) override;
  grpc::ServerUnaryReactor* Retry(grpc::CallbackServerContext* context, const v1::RetryRequest* request,
                                  v1::RetryResponse* response) override;
  grpc::ServerUnaryReactor* Delete(grpc::CallbackServerContext* context, const v1::DeleteRequest* request,
                                   v1::DeleteResponse* response) override;
  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* context, const v1::ListRequest* request,
                                 v1::ListResponse* response) override;

 private:
  absl::Status DoSubmit(Call& call, const v1::SubmitRequest& request, v1::SubmitResponse& response);
  absl::Status DoGet(Call& call, const v1::GetRequest& request, v1::GetResponse& response);
  absl::Status DoCancel(Call& call, const v1::CancelRequest& request, v1::CancelResponse& response);
  absl::Status DoRetry(Call& call, const v1::RetryRequest& request, v1::RetryResponse& response);
  absl::Status DoDelete(Call& call, const v1::DeleteRequest& request);
  absl::Status DoList(Call& call, const v1::ListRequest& request, v1::ListResponse& response);

  const std::string shard_;
  Queue& queue_;
  Store& store_;
  SpecCache& specs_;
  WatchHub& watches_;
  const Access& access_;
  Executor& executor_;
};

}  // namespace slipway
