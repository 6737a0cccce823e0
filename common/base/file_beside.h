// Files that a file refers to by name.
#pragma once

#include <filesystem>
#include <string_view>

#include "absl/status/statusor.h"

namespace slipway {

// The plain file `relative` in the folder of `file`. INVALID_ARGUMENT: it is outside of it, links followed; where `file` is itself a link
// (a download cache's), what lies in the folder that it leads to is inside too. NOT_FOUND.
absl::StatusOr<std::filesystem::path> FileBeside(const std::filesystem::path& file, std::string_view relative);

}  // namespace slipway
