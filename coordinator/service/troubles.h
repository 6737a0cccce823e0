// What goes wrong with the farm itself as callers meet it, for its keeper's log: a store that is away or full, a damaged blob, a Redis that refuses.
#pragma once

#include <cstdint>
#include <mutex>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace slipway {

// Thread-safe.
class Troubles {
 public:
  // Logs how a call ended, if that is no fault of its caller: at most a line a second, which counts those in between.
  void Tell(std::string_view method, std::string_view tenant, const absl::Status& status);

 private:
  std::mutex mutex_;
  absl::Time silent_until_ = absl::InfinitePast();
  uint64_t unsaid_ = 0;
};

}  // namespace slipway
