// What a farm is to be shown, and how it is to be reached: --tls, --tls-ca, --tls-cert, --tls-key, --token-file, --insecure.
#pragma once

#include "absl/status/statusor.h"
#include "client/cli/settings.h"
#include "common/rpc/security.h"

namespace slipway::cli {

// The token is the first line of the file that --token-file names, else what SLIPWAY_TOKEN holds; it is no flag, so that
// it stands in no list of processes. NOT_FOUND, INVALID_ARGUMENT (usage): the file cannot be read, or its line is empty.
absl::StatusOr<ChannelSecurity> CredentialsOf(const Settings& settings);

}  // namespace slipway::cli
