#include "common/base/retry_after.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "absl/strings/cord.h"

namespace slipway {
namespace {

constexpr char kPayload[] = "slipway/retry-after-ms";
constexpr int64_t kLongest = 24 * 3600 * 1000;

}  // namespace

absl::Status WithRetryAfter(absl::Status status, absl::Duration wait) {
  const int64_t milliseconds =
      std::clamp<int64_t>(absl::ToInt64Milliseconds(absl::Ceil(wait, absl::Milliseconds(1))), 1, kLongest);
  if (!status.ok()) status.SetPayload(kPayload, absl::Cord(std::to_string(milliseconds)));
  return status;
}

std::optional<absl::Duration> RetryAfterOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayload);
  if (!payload.has_value()) return std::nullopt;
  const std::string text(*payload);
  int64_t milliseconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), milliseconds);
  if (error != std::errc() || end != text.data() + text.size() || milliseconds < 1 || milliseconds > kLongest)
    return std::nullopt;
  return absl::Milliseconds(milliseconds);
}

}  // namespace slipway
