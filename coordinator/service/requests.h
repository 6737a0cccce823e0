// Requests by id, as one tenant may see them.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/queue/queue.h"

namespace slipway {

// INVALID_ARGUMENT (usage) for what is no request id; NOT_FOUND for an unknown request and for another tenant's alike. Blocks.
absl::StatusOr<RequestView> FindRequest(Queue& queue, const std::string& tenant, const std::string& request);

}  // namespace slipway
