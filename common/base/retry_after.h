// When to try again: what a full or overrun server says to those whom it sends away.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace slipway {

// The same error, which says to come again after `wait` (whole milliseconds, at least one).
absl::Status WithRetryAfter(absl::Status status, absl::Duration wait);
// What it says; nullopt: nothing.
std::optional<absl::Duration> RetryAfterOf(const absl::Status& status);

}  // namespace slipway
