// slipway export --detach: submits and leaves.
#pragma once

#include "client/cli/plan.h"
#include "client/cli/settings.h"

namespace slipway::cli {

// Prints the request's id on stdout, or with --json an event that names it.
int ExportDetached(const Settings& settings, ExportPlan plan);

}  // namespace slipway::cli
