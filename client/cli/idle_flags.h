// Flags that would do nothing beside others: refused where they are typed, so that nobody relies on them.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "client/cli/settings.h"

namespace slipway::cli {

// INVALID_ARGUMENT (usage) for the first such flag on the command line, with what to do instead. What the environment or
// the config file says is for many commands and may be of no use to one; so may a switch that is off.
absl::Status RefuseIdleFlags(std::string_view verb, const Settings& settings);

}  // namespace slipway::cli
