// Counts and times the calls of a gRPC server.
#pragma once

namespace grpc {
class ServerBuilder;
}

namespace slipway {

// Before BuildAndStart. Does nothing unless metrics are served.
void MeasureCalls(grpc::ServerBuilder& builder);

}  // namespace slipway
