// Who calls. Without credentials every caller is the one tenant of the farm.
#pragma once

#include <string>

namespace grpc {
class CallbackServerContext;
}

namespace slipway {

// The tenant whose requests and blobs the call may see; all calls ask here and nowhere else.
inline std::string TenantOf(const grpc::CallbackServerContext&) { return "default"; }

}  // namespace slipway
