// Unary calls whose handler blocks.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <utility>

#include "absl/status/status.h"
#include "common/base/error.h"
#include "common/base/retry_after.h"
#include "coordinator/service/caller.h"
#include "coordinator/service/executor.h"

namespace slipway {

// Runs `handler` (Call& → absl::Status) on the executor, if the caller may, then ends the call. RESOURCE_EXHAUSTED at once when too much waits there.
template <typename Handler>
grpc::ServerUnaryReactor* RunUnary(grpc::CallbackServerContext* context, Executor& executor, Call call,
                                   Handler handler) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (!call.admitted().ok()) {
    reactor->Finish(call.End(call.admitted()));
    return reactor;
  }
  const bool accepted = executor.TryRun([context, reactor, call, handler = std::move(handler)]() mutable {
    // A caller that has gone needs no answer, and an overloaded coordinator no needless work.
    const absl::Status status = context->IsCancelled() ? Cancelled("the caller has gone") : handler(call);
    reactor->Finish(call.End(status));
  });
  if (!accepted)
    reactor->Finish(
        call.End(WithRetryAfter(ResourceExhausted("the coordinator has too many calls waiting"), kRetryAfter)));
  return reactor;
}

}  // namespace slipway
