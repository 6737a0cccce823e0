// Whether a store is the one that a farm has claimed (Store::Bind).
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "common/store/store.h"

namespace slipway {

// `farm`: the one that has claimed a store (Queue::StoreOwner); empty: it has not yet, and any may be its first. `place` is for messages.
// UNAVAILABLE: the store is nobody's, so its mount is missing.
// FAILED_PRECONDITION: it is another farm's. Else the store's errors.
absl::Status CheckClaim(Store& store, std::string_view farm, std::string_view place);

}  // namespace slipway
