// The farm that --server names.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/cli/settings.h"
#include "client/lib/farm_client.h"

namespace slipway::cli {

// `say` gets a line when the farm is busy and a call waits, or when it does not answer for two seconds; without it the line goes to stderr. INVALID_ARGUMENT (usage) without --server; UNAVAILABLE (machine) when nobody answers.
absl::StatusOr<std::unique_ptr<FarmClient>> ConnectToServer(const Settings& settings,
                                                            std::function<void(const std::string& line)> say = {});

}  // namespace slipway::cli
