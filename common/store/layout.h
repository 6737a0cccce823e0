// Where a local store's blobs lie, and how a finished file becomes one.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/digest.h"
#include "common/base/file.h"

namespace slipway {

// "t/<tenant>/<2 hex>/<hex>-<bytes>": a blob's path below a local root, its key in a bucket.
std::string BlobKey(std::string_view tenant, const Digest& digest);
struct NamedBlob {
  std::string tenant;
  Digest digest;
};
// "ac/<tenant>/<2 hex>/<hex>": an entry of the action cache.
std::string ActionKey(std::string_view tenant, const Digest& key);
// BlobKey's of exactly that form; else nothing.
std::optional<NamedBlob> ParseBlobKey(std::string_view key);

// root/t/<tenant>/<2 hex>/<hex>-<bytes>; files being written are root/t/<tenant>/tmp/<random>, on the same file system.
class StoreLayout {
 public:
  StoreLayout(std::filesystem::path root, bool ephemeral) : root_(std::move(root)), ephemeral_(ephemeral) {}

  // INVALID_ARGUMENT unless [a-z0-9_-]{1,64}.
  static absl::Status CheckTenant(std::string_view tenant);
  std::filesystem::path BlobPath(std::string_view tenant, const Digest& digest) const;
  const std::filesystem::path& root() const { return root_; }
  bool ephemeral() const { return ephemeral_; }
  // A name nobody else has, in a folder made if absent.
  absl::StatusOr<std::filesystem::path> TemporaryPath(std::string_view tenant) const;
  // Makes `file`, open as `fd` and complete, the blob `digest` in one step, durable before it is visible unless
  // ephemeral. A blob of that name is replaced: its bytes are the same, or damaged.
  absl::Status Publish(int fd, const std::filesystem::path& file, std::string_view tenant, const Digest& digest) const;

 private:
  std::filesystem::path root_;
  bool ephemeral_;
};

// ErrnoStatus, with every way of saying "no space" RESOURCE_EXHAUSTED, and of "not there, read-only, forbidden" UNAVAILABLE: the store is
// down then (down.h). `what` may have paths: other machines are told other words (told.h).
absl::Status StoreErrno(int error_number, std::string_view what);

// Makes the folder and its parents, each 0700.
absl::Status MakeFolders(const std::filesystem::path& folder);

// Removes its file on destruction unless released.
class ScopedFile {
 public:
  explicit ScopedFile(std::filesystem::path path) : path_(std::move(path)) {}
  ScopedFile(const ScopedFile&) = delete;
  ScopedFile& operator=(const ScopedFile&) = delete;
  ~ScopedFile();
  const std::filesystem::path& path() const { return path_; }
  void Release() { path_.clear(); }

 private:
  std::filesystem::path path_;
};

}  // namespace slipway
