// A farm's local store, used by another process of the same user on the same machine: the client of an embedded farm. Its blobs then cross no
// connection.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/base/digest.h"
#include "common/store/store.h"

namespace slipway {

// Whom everything belongs to on a farm without credentials.
inline constexpr std::string_view kSoleTenant = "default";

// One tenant's blobs. Thread-safe.
class SharedStore {
 public:
  static absl::StatusOr<std::unique_ptr<SharedStore>> Open(const LocalStoreOptions& options, std::string_view tenant);
  // Stores a copy of what the file holds, read, hashed and written in one pass; the file stays as it is. The farm's processes
  // verify the copy before they use it, as they do with every blob that they have not written.
  absl::StatusOr<Digest> Add(int file) const;
  // A stream whose end is verified. NOT_FOUND if absent.
  absl::StatusOr<std::unique_ptr<BlobReader>> Read(const Digest& digest) const;

 private:
  SharedStore(LocalStoreOptions options, std::string_view tenant, std::unique_ptr<Store> store)
      : options_(std::move(options)), tenant_(tenant), store_(std::move(store)) {}

  const LocalStoreOptions options_;
  const std::string tenant_;
  const std::unique_ptr<Store> store_;
};

}  // namespace slipway
