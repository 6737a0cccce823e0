// Calls whose bytes are no message of their method never reach a handler: gRPC ends them, with UNIMPLEMENTED and no word.
#pragma once

#include <memory>

#include "coordinator/service/caller.h"

namespace grpc::experimental {
class ServerInterceptorFactoryInterface;
}

namespace slipway {

// Ends them as handlers end theirs: INVALID_ARGUMENT (usage), or UNAUTHENTICATED, with a line in the audit log. Borrows.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> ExplainMalformedCalls(const Access& access);

}  // namespace slipway
