// The farm that --server names.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "client/cli/settings.h"
#include "client/lib/farm_client.h"

namespace slipway::cli {

// INVALID_ARGUMENT (usage) without --server; UNAVAILABLE (machine) when nobody answers.
absl::StatusOr<std::unique_ptr<FarmClient>> ConnectToServer(const Settings& settings);

}  // namespace slipway::cli
