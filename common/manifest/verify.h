// Checks an output folder against its manifest, offline.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace slipway {

struct VerifyReport {
  int files = 0;      // checked
  int artifacts = 0;  // that have files
  uint64_t bytes = 0;
  std::vector<std::string> problems;  // one line each: "<path>: <what>"
};

// Reads folder/manifest.json and checks the presence, size and SHA-256 of every file of every artifact, and that the
// cells' folders hold nothing else but parity.json. Folders of cancelled cells are not looked at: they keep what an
// earlier request left. NOT_FOUND without a manifest; DATA_LOSS when it cannot be read as one.
absl::StatusOr<VerifyReport> VerifyFolder(const std::filesystem::path& folder);

}  // namespace slipway
