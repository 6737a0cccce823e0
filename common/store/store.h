// Content-addressed blobs: what passes between client, coordinators and workers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/digest.h"
#include "common/base/file.h"

namespace slipway {

// Reads one blob in order. Not thread-safe.
class BlobReader {
 public:
  virtual ~BlobReader() = default;
  // Up to buffer.size() bytes; 0 at the end. When opened at offset 0 the end is DATA_LOSS if the bytes did not hash to the digest.
  virtual absl::StatusOr<size_t> Read(std::span<std::byte> buffer) = 0;
};

// Streams one blob in. Dropped without Commit(), nothing is stored. Not thread-safe.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  virtual absl::Status Write(std::span<const std::byte> data) = 0;
  // Checks size and hash, then publishes. INVALID_ARGUMENT and nothing stored when they differ. Two writers of one digest both succeed.
  virtual absl::Status Commit() = 0;
};

// Keeps blobs from garbage collection while it lives. Thread-safe.
class BlobPins {
 public:
  virtual ~BlobPins() = default;
  // Before FindMissing and Open, so that no collection comes between.
  virtual absl::Status Add(std::string_view tenant, std::span<const Digest> digests) = 0;
  // How long they are sure to keep a blob, counted from when it was stored or used: a store that cannot see its users' processes takes
  // old pins for a dead one's. Local stores see them: for ever.
  virtual absl::Duration lasts() const = 0;
};

struct GarbageOptions {
  std::string farm;                            // whose store this is: see Store::Bind
  absl::Duration untouched = absl::Hours(24);  // blobs stored or used more recently stay
  // Whether something that will be read later names the blob. Called for old, unpinned blobs only; its error ends the
  // collection.
  std::function<absl::StatusOr<bool>(std::string_view tenant, const Digest& digest)> referenced;
  absl::Time now;
  std::function<bool()> stop;  // asked at every blob: true ends the collection, CANCELLED. Empty: never
};

struct GarbageReport {
  uint64_t blobs = 0;  // seen
  uint64_t young = 0, pinned = 0, referenced = 0;
  uint64_t removed = 0, removed_bytes = 0;
  uint64_t actions = 0;    // entries of the action cache removed
  uint64_t abandoned = 0;  // unfinished writes removed
};

// A tenant's blobs. Thread-safe. A blob is immutable and is there whole or not at all. Names are per tenant (`t/<tenant>/…`): no
// tenant can learn of another's blobs. Errors: UNAVAILABLE: try again, nothing was learned; RESOURCE_EXHAUSTED: no space. Those that any
// other blob would meet as well are known as such: down.h.
class Store {
 public:
  virtual ~Store() = default;
  // Digests of `wanted` that are absent, in order, each once.
  virtual absl::StatusOr<std::vector<Digest>> FindMissing(std::string_view tenant, std::span<const Digest> wanted) = 0;
  // NOT_FOUND if absent.
  virtual absl::StatusOr<std::unique_ptr<BlobReader>> Open(std::string_view tenant, const Digest& digest,
                                                           uint64_t offset) = 0;
  virtual absl::StatusOr<std::unique_ptr<BlobWriter>> Create(std::string_view tenant, const Digest& digest) = 0;
  // A verified local file of the blob, open for reading: mapped by workers, passed to children. NOT_FOUND; DATA_LOSS if the stored bytes are damaged
  // (the blob is then dropped).
  virtual absl::StatusOr<UniqueFd> OpenLocal(std::string_view tenant, const Digest& digest) = 0;
  // Whether the store can be used at all: a refusal that says what to set right, or UNAVAILABLE.
  virtual absl::Status Check() { return absl::OkStatus(); }
  // Stores a finished local file, hashing it once on the way; `file` may be moved away.
  virtual absl::StatusOr<Digest> PutFile(std::string_view tenant, const std::filesystem::path& file) = 0;

  // Action cache: the digest of what an action made, by a key that is the digest of everything it depends on. Entries may
  // go at any time, and what they name may be gone: that is a miss. NOT_FOUND: no entry.
  virtual absl::StatusOr<Digest> FindAction(std::string_view tenant, const Digest& key);
  virtual absl::Status PutAction(std::string_view tenant, const Digest& key, const Digest& made);

  // Declares the store to be `farm`'s (the farm's id and epoch, one line) until another Bind. A farm whose queue was
  // lost begins a new epoch; collecting by an old one's references would remove what the new one needs.
  virtual absl::Status Bind(std::string_view farm);
  // Whose it is; empty: nobody's yet. UNAVAILABLE where a folder that was a farm's is nobody's now, on another file system: its mount went
  // away, and what is stored meanwhile lies below it. On the same one somebody emptied it: it is bound again.
  virtual absl::StatusOr<std::string> Farm();
  // Names the file system that its folder is on: an empty mount point is on another than what is mounted there. Empty where nothing is mounted, as for a
  // bucket.
  virtual std::string FileSystem() { return ""; }
  virtual absl::StatusOr<std::unique_ptr<BlobPins>> Pin();  // asks Farm() first
  // Removes blobs that are untouched, unpinned and unreferenced, untouched actions, and unfinished writes nobody goes on
  // with. Finding a blob by FindMissing, opening and storing it touch it. FAILED_PRECONDITION, nothing removed, unless the store is
  // bound to options.farm. A blob used while it is being removed is either kept, or absent from then on.
  virtual absl::StatusOr<GarbageReport> CollectGarbage(const GarbageOptions& options);
};

// Blobs as files under `root` (made if absent): root/t/<tenant>/<2 hex>/<hex>-<bytes>, written under a temporary name, fsynced unless `ephemeral`, renamed.
// Several processes may share a root, also over NFS. Tenants are [a-z0-9_-]{1,64}; else INVALID_ARGUMENT.
struct LocalStoreOptions {
  std::filesystem::path root;
  bool ephemeral = false;  // the embedded farm's: nothing needs to outlive a power cut
  bool reserve = false;    // unfinished files have their final size from the start, for a cache that counts them
};
absl::StatusOr<std::unique_ptr<Store>> OpenLocalStore(const LocalStoreOptions& options);

// Small blobs whole.
absl::StatusOr<std::string> ReadBlob(Store& store, std::string_view tenant, const Digest& digest);
absl::StatusOr<Digest> WriteBlob(Store& store, std::string_view tenant, std::string_view bytes);

}  // namespace slipway
