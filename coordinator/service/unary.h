// Unary calls whose handler blocks.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <utility>

#include "absl/status/status.h"
#include "common/base/error.h"
#include "common/rpc/status.h"
#include "coordinator/service/executor.h"

namespace slipway {

// Runs `handler` (→ absl::Status) on the executor, then ends the call. RESOURCE_EXHAUSTED at once when too much waits there.
template <typename Handler>
grpc::ServerUnaryReactor* RunUnary(grpc::CallbackServerContext* context, Executor& executor, Handler handler) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const bool accepted = executor.TryRun([context, reactor, handler = std::move(handler)] {
    // A caller that has gone needs no answer, and an overloaded coordinator no needless work.
    const absl::Status status = context->IsCancelled() ? Cancelled("the caller has gone") : handler();
    reactor->Finish(ToGrpc(status, *context));
  });
  if (!accepted)
    reactor->Finish(
        ToGrpc(ResourceExhausted("the coordinator has too many calls waiting; try again in a second"), *context));
  return reactor;
}

}  // namespace slipway
