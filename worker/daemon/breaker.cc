#include "worker/daemon/breaker.h"

#include <algorithm>

namespace slipway {

bool Breaker::MayLease(const void* slot, absl::Time now) {
  if (!open()) return true;
  if (tries_ == nullptr && now >= pause_end_) tries_ = slot;
  return tries_ == slot;
}

std::optional<absl::Duration> Breaker::Ended(const void* slot, Health health, absl::Time now) {
  if (health == Health::kUnsaid) return std::nullopt;
  if (health == Health::kWell) {
    *this = Breaker();
    return std::nullopt;
  }
  if (open() ? tries_ != slot : ++failures_ < kFailures) return std::nullopt;
  pause_ = std::clamp(pause_ * 2, kFirstPause, kLongestPause);
  pause_end_ = now + pause_;
  tries_ = nullptr;
  return pause_;
}

}  // namespace slipway
