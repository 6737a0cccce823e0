// absl::Status across gRPC: the code and message as they are, the ErrorKind in the trailing metadata "slipway-error-kind",
// RetryAfterOf (common/base/retry_after.h) in "slipway-retry-after-ms".
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace slipway {

// Before the call's Finish(). A message that would not fit into what a peer takes (7.6 KB) is cut.
grpc::Status ToGrpc(const absl::Status& status, grpc::CallbackServerContext& context);

// After the call has ended. Without the metadata (gRPC itself failed, or something else answered) the kind is kMachine, of CANCELLED kCancelled.
absl::Status FromGrpc(const grpc::Status& status, const grpc::ClientContext& context);

}  // namespace slipway
