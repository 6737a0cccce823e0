// FleetService: who works, and what waits.
#pragma once

#include "common/queue/queue.h"
#include "coordinator/service/caller.h"
#include "coordinator/service/executor.h"
#include "proto/slipway/v1/fleet.grpc.pb.h"

namespace slipway {

class FleetService final : public v1::FleetService::CallbackService {
 public:
  FleetService(Queue& queue, const Access& access, Executor& executor)
      : queue_(queue), access_(access), executor_(executor) {}

  // By id; a page token is the last id told.
  grpc::ServerUnaryReactor* ListWorkers(grpc::CallbackServerContext* context, const v1::ListWorkersRequest* request,
                                        v1::ListWorkersResponse* response) override;
  grpc::ServerUnaryReactor* GetQueue(grpc::CallbackServerContext* context, const v1::GetQueueRequest* request,
                                     v1::GetQueueResponse* response) override;

 private:
  Queue& queue_;
  const Access& access_;
  Executor& executor_;
};

}  // namespace slipway
