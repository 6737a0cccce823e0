#include "client/lib/overdue.h"

#include "absl/time/clock.h"

namespace slipway {

Overdue::Overdue(std::function<void(const std::string& reason)> say, std::string reason) : reason_(std::move(reason)) {
  if (!say) return;
  thread_ = std::jthread([this, say = std::move(say)](const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, absl::ToChronoMilliseconds(kOverdueAfter), [] { return false; });
    const std::string known = reason_;
    lock.unlock();
    if (!stop.stop_requested()) say(known);
  });
}

Overdue::~Overdue() {
  thread_.request_stop();
  wake_.notify_all();
}

void Overdue::Because(std::string reason) {
  const std::lock_guard lock(mutex_);
  reason_ = std::move(reason);
}

}  // namespace slipway
