// Who calls. Without credentials every caller is the one tenant of the farm.
#pragma once

#include <string>

#include "common/store/shared_store.h"

namespace grpc {
class CallbackServerContext;
}

namespace slipway {

// The tenant whose requests and blobs the call may see; all calls ask here and nowhere else.
inline std::string TenantOf(const grpc::CallbackServerContext&) { return std::string(kSoleTenant); }

}  // namespace slipway
