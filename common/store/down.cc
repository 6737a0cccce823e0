#include "common/store/down.h"

#include "absl/strings/cord.h"

namespace slipway {
namespace {

constexpr char kPayload[] = "slipway/store-down";

}  // namespace

absl::Status WithStoreDown(absl::Status status) {
  if (!status.ok()) status.SetPayload(kPayload, absl::Cord());
  return status;
}

bool IsStoreDown(const absl::Status& status) { return status.GetPayload(kPayload).has_value(); }

}  // namespace slipway
