// Counts and times the calls of a gRPC server.
#pragma once

#include <memory>

namespace grpc::experimental {
class ServerInterceptorFactoryInterface;
}

namespace slipway {

// nullptr unless metrics are served.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> TimeCalls();

}  // namespace slipway
