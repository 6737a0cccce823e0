// What other machines are told of an error whose message, with this one's paths, is for the farm's keeper.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace slipway {

// The same error, of which others are told `words` alone.
absl::Status WithTold(absl::Status status, std::string_view words);
// Those words; of any other error its message.
std::string Told(const absl::Status& status);

}  // namespace slipway
