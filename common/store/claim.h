// Whether a store is the one that a farm has claimed (Store::Bind).
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "common/store/store.h"

namespace slipway {

// `farm` and the `file_system` of the store that it has bound, as Queue::Noted() has them; no farm: it has none yet, and any may be its first. `place` is
// for messages. A store that is nobody's, on the same file system, is a new one, or somebody emptied it.
// UNAVAILABLE: it is nobody's, on another file system: its mount is missing. FAILED_PRECONDITION: it is another farm's. Else the store's errors.
absl::Status CheckClaim(Store& store, std::string_view farm, std::string_view file_system, std::string_view place);

}  // namespace slipway
