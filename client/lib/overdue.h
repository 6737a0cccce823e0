// Says what a call waits for when it takes long.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "absl/time/time.h"

namespace slipway {

inline constexpr absl::Duration kOverdueAfter = absl::Seconds(2);

// Calls `say` once, from a thread of its own, if it lives for longer than kOverdueAfter. Thread-safe.
class Overdue {
 public:
  // `reason`: why, as long as nothing better is known. Without `say`, nothing happens.
  Overdue(std::function<void(const std::string& reason)> say, std::string reason);
  ~Overdue();
  void Because(std::string reason);

 private:
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::string reason_;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace slipway
