// Requests' specs and tasks' results by what the queue says of them.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/store/store.h"

namespace slipway {

// The JSON of what the queue carries as `carried`: that itself (IsCarriedSpec), or the blob whose digest it is. INVALID_ARGUMENT when it is neither;
// the store's errors.
absl::StatusOr<std::string> ReadCarried(Store& store, const std::string& tenant, const std::string& carried);

}  // namespace slipway
