// Time as an argument, so that tests need no sleep.
#pragma once

#include "absl/time/time.h"

namespace slipway {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
  static Clock& Real();
};

// The time by which deadlines and pauses are kept: the clock's when it was first asked for, and from then on as much later as has
// passed, however the machine's clock is set meanwhile. Means nothing to other processes.
absl::Time SteadyNow();

}  // namespace slipway
