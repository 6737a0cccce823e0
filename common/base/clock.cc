#include "common/base/clock.h"

#include <chrono>

#include "absl/time/clock.h"

namespace slipway {
namespace {

class RealClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
};

absl::Duration SinceBoot() { return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()); }

}  // namespace

absl::Time SteadyNow() {
  static const absl::Time boot = absl::Now() - SinceBoot();
  return boot + SinceBoot();
}

Clock& Clock::Real() {
  static RealClock clock;
  return clock;
}

}  // namespace slipway
