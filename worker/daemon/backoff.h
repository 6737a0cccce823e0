// Waits that grow while Redis is away, spread so that workers do not come back all at once.
#pragma once

#include <algorithm>
#include <functional>
#include <string>

#include "absl/time/time.h"
#include "common/base/random.h"

namespace slipway {

class Backoff {
 public:
  absl::Duration Next() {
    const absl::Duration pause = next_ * (0.5 + random_.Uniform());
    next_ = std::min(next_ * 2, kMost);
    return pause;
  }
  void Reset() { next_ = kFirst; }

 private:
  static constexpr absl::Duration kFirst = absl::Milliseconds(20), kMost = absl::Seconds(2);
  absl::Duration next_ = kFirst;
  Random random_{std::hash<std::string>{}(RandomHex(8))};
};

}  // namespace slipway
