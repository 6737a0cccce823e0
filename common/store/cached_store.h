// A bounded folder of local copies before a remote store: what OpenLocal of a bucket's blobs would fetch anew each time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "absl/status/statusor.h"
#include "common/store/store.h"

namespace slipway {

struct CacheOptions {
  std::filesystem::path root;  // its own; made if absent
  uint64_t max_bytes = uint64_t{20} << 30;
};

// OpenLocal: the cached copy, else fetched from `backing`, verified on the way in, into the cache. All else goes to
// `backing`. Several processes of a machine may share a root, each with the same limit: blobs and those being fetched
// never exceed it together; the least recently used go first. A descriptor from OpenLocal holds a shared flock, which
// keeps its file in the cache until it (and every copy of it) is closed. A blob that does not fit beside those in use is
// passed on from `backing` uncached. No index: the folder, its times and its locks are all there is, so a killed process
// leaves at most an unfinished file, removed by the next who needs room. In one process a blob is fetched once at a time.
// A cached copy serves also after `backing` lost the blob: names are digests.
absl::StatusOr<std::unique_ptr<Store>> OpenCachedStore(const CacheOptions& options, std::unique_ptr<Store> backing);

}  // namespace slipway
