// Verbs that do one thing to each of several requests.
#pragma once

#include <functional>

#include "client/cli/settings.h"
#include "client/cli/verb.h"
#include "client/lib/farm_client.h"

namespace slipway::cli {

// Calls `act` for each request in order; one that fails keeps none of the others from their turn. The exit code: the
// highest of the failures'.
int ForEachRequest(const Settings& settings, const Arguments& requests,
                   const std::function<absl::Status(FarmClient& farm, const std::string& request)>& act);

}  // namespace slipway::cli
