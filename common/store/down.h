// Which errors are a store's own: it is away, read-only, full or refuses the farm. Then no other blob would fare better, and waiting may help.
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace slipway {

// The same error, known as the store's own.
absl::Status WithStoreDown(absl::Status status);
bool IsStoreDown(const absl::Status& status);

// UNAVAILABLE for a mount that is missing. `message` may have paths: other machines are told other words (told.h).
absl::Status MountMissing(std::string_view message);

}  // namespace slipway
