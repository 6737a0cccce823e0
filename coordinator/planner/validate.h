// Whether a request can be done at all, before anything is stored or queued.
#pragma once

#include "absl/status/status.h"
#include "proto/slipway/v1/export.pb.h"

namespace slipway {

inline constexpr int kMaxTasks = 100'000;        // of a request, prepare tasks included
inline constexpr int kMaxFilesOfModel = 10'000;  // external data: one file a tensor at most
inline constexpr int kMaxNameBytes = 128;
inline constexpr int kMaxPathBytes = 4096;
inline constexpr int kMaxPriority = 100;  // and -kMaxPriority the least

// INVALID_ARGUMENT (usage): which field, why, what would do. Whether the input blobs are there is not asked.
absl::Status ValidateRequest(const v1::SubmitRequest& request);

}  // namespace slipway
