// A request before it goes to Redis: checked, and cut into what one script call can take.
#pragma once

#include <string>
#include <vector>

#include "common/queue/queue.h"

namespace slipway {

inline constexpr size_t kTasksPerCall = 1000;  // more would hold up Redis for everybody else

// INVALID_ARGUMENT with the field and why.
absl::Status CheckRequest(const QueuedRequest& request, const QueueOptions& options);
absl::Status CheckLimits(const std::string& tenant, const TenantLimits& limits);
absl::Status CheckClass(const std::string& task_class);

// The arguments of lua/submit.lua, one vector a call, without the key. Each call is complete in itself.
std::vector<std::vector<std::string>> SubmitCalls(const QueuedRequest& request, const QueueOptions& options);

}  // namespace slipway
