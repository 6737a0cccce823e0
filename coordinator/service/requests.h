// Requests by id, as a caller may see them.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/queue/queue.h"
#include "coordinator/service/caller.h"

namespace slipway {

// INVALID_ARGUMENT (usage) for what is no request id; NOT_FOUND for an unknown request and for another tenant's alike. Tells the audit log what the call concerns. Blocks.
absl::StatusOr<RequestView> FindRequest(Queue& queue, Call& call, const std::string& request);

}  // namespace slipway
