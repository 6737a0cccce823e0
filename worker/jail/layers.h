// The jail's two layers. Each returns false when this kernel does not have it; an error means that it should have
// worked.
#pragma once

#include "absl/status/statusor.h"
#include "worker/jail/jail.h"

namespace slipway {

absl::StatusOr<bool> RestrictFiles(const JailOptions& options);  // landlock.cc
absl::StatusOr<bool> RestrictSystemCalls(
    const JailOptions& options);  // seccomp.cc; last: Landlock's calls are refused afterwards

}  // namespace slipway
