#include "common/store/down.h"

#include "absl/strings/cord.h"
#include "common/base/error.h"
#include "common/base/told.h"

namespace slipway {
namespace {

constexpr char kPayload[] = "slipway/store-down";

}  // namespace

absl::Status WithStoreDown(absl::Status status) {
  if (!status.ok()) status.SetPayload(kPayload, absl::Cord());
  return status;
}

bool IsStoreDown(const absl::Status& status) { return status.GetPayload(kPayload).has_value(); }

absl::Status MountMissing(std::string_view message) {
  return WithStoreDown(WithTold(Unavailable("{}", message), "the farm's store is away; its keeper has to mount it"));
}

}  // namespace slipway
