// A new file written from front to back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/file.h"

namespace slipway {

// Small pieces are gathered in a buffer, large ones go straight to the file. Errors carry the path. Not thread-safe.
class OutputFile {
 public:
  // The file must not exist.
  static absl::StatusOr<OutputFile> Create(const std::filesystem::path& path);
  absl::Status Write(std::span<const std::byte> bytes);
  uint64_t size() const { return size_; }  // bytes written so far
  // Writes out what is buffered. Without it the file is incomplete.
  absl::Status Close();

 private:
  OutputFile(UniqueFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}
  absl::Status WriteOut(std::span<const std::byte> bytes);

  UniqueFd fd_;
  std::string name_;
  std::vector<std::byte> buffer_;
  uint64_t size_ = 0;
};

}  // namespace slipway
