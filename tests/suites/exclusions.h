// Exclusion lists: cases that are known to fail, with the reason, one `case<TAB>reason` a line. They count as failures; a case that passes must leave its list.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "absl/status/statusor.h"

namespace slipway::suites {

// Case → reason. `#` starts a comment line. An error: unreadable, a line without a reason, a case twice.
absl::StatusOr<std::map<std::string, std::string>> ReadExclusions(const std::filesystem::path& file);

}  // namespace slipway::suites
