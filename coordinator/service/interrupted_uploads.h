// Uploads whose caller went away in the middle, kept for a while so that they can be gone on with.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "absl/time/time.h"
#include "common/store/store.h"

namespace slipway {

struct InterruptedUpload {
  std::unique_ptr<BlobWriter> writer;
  uint64_t received = 0;
};

// Thread-safe. A writer holds at most one part of a multipart upload in memory, so kMost bound it.
class InterruptedUploads {
 public:
  static constexpr size_t kMost = 16;  // then the oldest is dropped
  static constexpr absl::Duration kKept = absl::Minutes(2);

  void Keep(const std::string& tenant, const Digest& digest, InterruptedUpload upload, absl::Time now);
  // How much is kept of the blob; 0: nothing.
  uint64_t Received(const std::string& tenant, const Digest& digest, absl::Time now);
  // Without a writer if nothing is kept.
  InterruptedUpload Take(const std::string& tenant, const Digest& digest, absl::Time now);

 private:
  struct Kept {
    std::string tenant;
    Digest digest;
    InterruptedUpload upload;
    absl::Time until;
  };
  // Moves those whose time is over to `expired`: dropping a writer may talk to the store, which needs no lock.
  std::list<Kept>::iterator Find(const std::string& tenant, const Digest& digest, absl::Time now,
                                 std::list<Kept>& expired);  // mutex_ held

  std::mutex mutex_;
  std::list<Kept> kept_;  // oldest first
};

}  // namespace slipway
