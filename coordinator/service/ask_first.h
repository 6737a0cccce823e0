// gRPC reads the one message of a call, whatever its size, before a handler hears of the call. In front of a farm's services this asks
// who calls first, so that strangers make a coordinator hold nothing.
#pragma once

#include <grpcpp/impl/service_type.h>

#include <memory>
#include <string_view>

#include "coordinator/service/caller.h"

namespace slipway {

// The methods of `service` (slipway.v1.…), to be registered in its stead: calls of nobody known end at once, UNAUTHENTICATED and in the audit
// log; the message of every other is read, and its handler run. Borrows both.
std::unique_ptr<grpc::Service> AskFirst(grpc::Service& service, std::string_view full_name, const Access& access);

}  // namespace slipway
