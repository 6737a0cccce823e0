// A local store's farm, pins and garbage. All that processes agree on is in the folder: several may collect at once.
#pragma once

#include <memory>

#include "common/store/layout.h"
#include "common/store/store.h"

namespace slipway {

// Writes, reads root/farm.
absl::Status BindLocalFarm(const StoreLayout& layout, std::string_view farm);
absl::StatusOr<std::string> LocalFarm(const StoreLayout& layout);
// A file root/pins/<random> under an exclusive flock, which ends with the process.
absl::StatusOr<std::unique_ptr<BlobPins>> MakeLocalPins(const StoreLayout& layout);
absl::StatusOr<GarbageReport> CollectLocalGarbage(const StoreLayout& layout, const GarbageOptions& options);

// Removes temporary files that were begun before `begun_before` and that no process of this machine is writing (they
// are under a flock). How many.
absl::StatusOr<uint64_t> SweepTemporaryFiles(const StoreLayout& layout, absl::Time begun_before);

}  // namespace slipway
