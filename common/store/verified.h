// Which files this process has already hashed.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <deque>
#include <mutex>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "common/base/digest.h"

namespace slipway {

// A file's bytes as far as the file system tells: a write to it changes `modified`, a rename over it changes `inode`.
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  uint64_t bytes = 0;
  int64_t modified_ns = 0;

  static FileIdentity Of(const struct stat& file);
  static absl::StatusOr<FileIdentity> Of(int fd);
  bool operator==(const FileIdentity&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const FileIdentity& id) {
    return H::combine(std::move(h), id.device, id.inode, id.bytes, id.modified_ns);
  }
};

// Remembers the digests of the last `capacity` files verified. Thread-safe.
class VerifiedFiles {
 public:
  explicit VerifiedFiles(size_t capacity) : capacity_(capacity) {}
  bool Contains(const FileIdentity& file, const Digest& digest) const;
  void Add(const FileIdentity& file, const Digest& digest);

 private:
  const size_t capacity_;
  mutable std::mutex mutex_;
  absl::flat_hash_map<FileIdentity, Digest> digests_;
  std::deque<FileIdentity> order_;  // oldest first
};

}  // namespace slipway
