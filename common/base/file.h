// Files: owned descriptors, mapped inputs, whole-or-nothing writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace slipway {

// An owned file descriptor (-1: none). Opened close-on-exec everywhere in this project.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) Reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~UniqueFd() { Reset(); }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }
  void Reset(int fd = -1);
  absl::StatusOr<UniqueFd> Duplicate() const;

 private:
  int fd_ = -1;
};

// A file mapped read-only (MAP_PRIVATE). Immutable, thread-safe; views stay valid as long as a shared_ptr to it lives.
class MappedFile {
 public:
  // NOT_FOUND, or the errno's status, with the path in the message. A zero-length file maps to an empty span.
  static absl::StatusOr<std::shared_ptr<const MappedFile>> Open(const std::filesystem::path& path);
  // Takes no ownership of fd; `name` is for messages.
  static absl::StatusOr<std::shared_ptr<const MappedFile>> Map(int fd, std::string name);
  ~MappedFile();
  std::span<const std::byte> bytes() const { return bytes_; }
  const std::string& name() const { return name_; }

 private:
  MappedFile(std::span<const std::byte> bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {}
  std::span<const std::byte> bytes_;
  std::string name_;
};

absl::StatusOr<std::string> ReadFile(const std::filesystem::path& path);

// Writes beside `path` under a temporary name, fsyncs and renames: readers see the old bytes or all the new ones.
absl::Status WriteFileAtomically(const std::filesystem::path& path, std::string_view bytes);

// Makes `prepared` (a complete folder on the same file system) appear as `destination` in one step: rename, or
// RENAME_EXCHANGE and removal of the old content when `destination` exists.
absl::Status ReplaceFolder(const std::filesystem::path& prepared, const std::filesystem::path& destination);

// A new folder of mode 0700 under `parent` (mkdtemp "<prefix>XXXXXX"), removed with all it holds on destruction.
class TemporaryFolder {
 public:
  static absl::StatusOr<TemporaryFolder> Create(const std::filesystem::path& parent, std::string_view prefix);
  // $XDG_RUNTIME_DIR if it is a writable folder, else /tmp: short enough for Unix socket paths (< 108 bytes).
  static std::filesystem::path ShortParent();
  TemporaryFolder(TemporaryFolder&&) = default;
  TemporaryFolder& operator=(TemporaryFolder&& other) noexcept;
  ~TemporaryFolder();
  const std::filesystem::path& path() const { return path_; }
  void Keep() { path_.clear(); }

 private:
  explicit TemporaryFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

// Anonymous memory as a file: a writable memfd, sealed against every change once filled. For handing tensors to other
// processes.
absl::StatusOr<UniqueFd> SealedMemory(std::string_view name, std::span<const std::byte> bytes);

// Whether `relative` stays inside its folder: not absolute, not empty, no "..", no NUL.
bool IsContainedPath(std::string_view relative);

// Copies fd's bytes to a new file (reflink or copy_file_range where possible). `destination` must not exist.
absl::Status CopyToNewFile(int fd, const std::filesystem::path& destination);

}  // namespace slipway
