// The same for many, a few at a time.
#pragma once

#include <cstddef>
#include <functional>

#include "absl/status/status.h"

namespace slipway {

// Runs `job` for 0 … count-1 on at most `threads` threads, one of them the caller's. After the first error no further one is begun; that error is returned.
absl::Status ForEachInParallel(size_t count, int threads, const std::function<absl::Status(size_t)>& job);

}  // namespace slipway
