// What changes when a file does: for those who read it again then.
#pragma once

#include <cstdint>
#include <filesystem>

#include "absl/status/statusor.h"

namespace slipway {

struct FileStamp {
  uint64_t device = 0, inode = 0, bytes = 0;
  int64_t modified_ns = 0, changed_ns = 0;
  uint32_t mode = 0;  // st_mode

  bool operator==(const FileStamp&) const = default;
};

// Of the file that `path` leads to. The errno's status, with the path.
absl::StatusOr<FileStamp> StampOf(const std::filesystem::path& path);

}  // namespace slipway
