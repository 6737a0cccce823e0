// What both kinds of task do alike.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace slipway {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

// Runs `judge` again when a host died under it (UNAVAILABLE), at most twice: the next try gets a new host, what was converted stays.
template <typename Function>
auto WithFreshHosts(Function judge) {
  constexpr int kTries = 3;
  auto result = judge();
  for (int tried = 1; tried < kTries && absl::IsUnavailable(StatusOf(result)); ++tried) result = judge();
  return result;
}

}  // namespace slipway
