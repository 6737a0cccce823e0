// The warm child: what runs inside the jail. One task at a time, until the daemon closes the connection.
#pragma once

#include <filesystem>

#include "common/base/channel.h"
#include "worker/jail/jail.h"

namespace slipway {

// A ChildMain (zygote.h): says hello, then runs each task that arrives by worker/pipeline in `scratch` and answers. Returns at the end of the
// daemon's stream, or when the daemon speaks another protocol.
int RunChild(Channel daemon, JailLevel level, const std::filesystem::path& scratch);

}  // namespace slipway
