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

}  // namespace slipway
