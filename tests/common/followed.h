// A request whose changes a test waits for.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "absl/time/time.h"
#include "common/queue/queue.h"

namespace slipway {

// Over a connection of its own.
class Followed {
 public:
  Followed(Queue& queue, const std::string& request)
      : changes_(queue.FollowChanges([this](const std::string&) {
          std::lock_guard lock(mutex_);
          told_ = true;
          heard_.notify_all();
        })),
        status_(changes_->Follow(request)) {}

  const absl::Status& status() const { return status_; }
  // Whether something was told since the last time, or is by `deadline`.
  bool Wait(absl::Time deadline) {
    std::unique_lock lock(mutex_);
    return heard_.wait_until(lock, absl::ToChronoTime(deadline), [this] { return std::exchange(told_, false); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable heard_;
  bool told_ = false;
  const std::unique_ptr<Changes> changes_;  // after what its callback uses
  const absl::Status status_;
};

}  // namespace slipway
