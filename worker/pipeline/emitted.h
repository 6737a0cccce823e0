// What a target's writer says of an artifact, as JSON: kept beside the artifact, so that it can be judged without being made
// again.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "convert/targets/target.h"

namespace slipway {

// Empty where a name is no UTF-8, which JSON cannot say.
std::string EmittedText(const Emitted& emitted);
// DATA_LOSS unless EmittedText wrote it.
absl::StatusOr<Emitted> ParseEmitted(std::string_view text);

}  // namespace slipway
