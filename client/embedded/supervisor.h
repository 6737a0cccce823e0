// The embedded farm's supervisor process: embedded_farm.h.
#pragma once

#include "client/embedded/embedded_farm.h"
#include "common/base/channel.h"

namespace slipway {

// The body of the supervisor, in a freshly forked process; returns its exit code when the client's end of `client` is
// closed and nothing of the farm is left, its folders included. Sends {"address": "unix:/…"} once all processes are ready, and
// {"error": "one line"} when the farm cannot start or go on.
int RunSupervisor(Channel client, const EmbeddedFarmOptions& options, FarmFolders folders);

}  // namespace slipway
