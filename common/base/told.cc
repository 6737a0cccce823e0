#include "common/base/told.h"

#include "absl/strings/cord.h"
#include "common/base/error.h"

namespace slipway {
namespace {

constexpr char kPayload[] = "slipway/told";

}  // namespace

absl::Status WithTold(absl::Status status, std::string_view words) {
  if (!status.ok()) status.SetPayload(kPayload, absl::Cord(std::string(words)));
  return status;
}

std::string Told(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayload);
  return payload.has_value() ? std::string(*payload) : Message(status);
}

}  // namespace slipway
