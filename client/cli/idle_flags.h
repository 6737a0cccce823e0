// Flags that do nothing beside others: told where they are typed, so that nobody relies on them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "client/cli/settings.h"

namespace slipway::cli {

// "--jobs does nothing beside --server: that farm's workers have their own --slots": a line for each such flag on the
// command line. What the environment or the config file says is for many commands and may be of no use to one; so may a
// switch that is off.
std::vector<std::string> IdleFlags(std::string_view verb, const Settings& settings);

}  // namespace slipway::cli
