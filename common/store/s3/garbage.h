// A bucket's farm, pins and garbage.
#pragma once

#include <memory>
#include <string>

#include "common/store/s3/client.h"
#include "common/store/store.h"

namespace slipway::s3 {

absl::Status BindFarm(Client& client, const std::string& prefix, std::string_view farm);
absl::StatusOr<std::string> ReadFarm(Client& client, const std::string& prefix);
// An object pins/<random>, deleted on destruction; a dead process's counts until it is as old as a blob must be.
// `client` must outlive it. `lasts`: BlobPins::lasts.
std::unique_ptr<BlobPins> MakePins(Client& client, const std::string& prefix, absl::Duration lasts);
absl::StatusOr<GarbageReport> CollectGarbage(Client& client, const std::string& prefix, const GarbageOptions& options);

}  // namespace slipway::s3
