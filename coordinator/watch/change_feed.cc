#include "coordinator/watch/change_feed.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "absl/time/clock.h"
#include "common/base/error.h"

namespace slipway {
namespace {

constexpr absl::Duration kWaitSlice = absl::Milliseconds(200);  // how soon an unfollowed request's thread ends
constexpr absl::Duration kStrayInterval = absl::Seconds(5);
constexpr absl::Duration kFirstBackoff = absl::Milliseconds(50);
constexpr absl::Duration kMaxBackoff = absl::Seconds(1);

}  // namespace

struct ChangeFeed::Followed {
  std::string request;
  int followers = 0;
  std::mutex starting;  // the first follower subscribes, others wait for it
  bool started = false;
  std::unique_ptr<Subscription> subscription;
  std::atomic<bool> stopping{false};
};

ChangeFeed::ChangeFeed(Queue& queue, std::function<void(const std::string&)> on_change)
    : queue_(queue), on_change_(std::move(on_change)) {}

ChangeFeed::~ChangeFeed() {
  std::unique_lock lock(mutex_);
  thread_ended_.wait(lock, [this] { return threads_ == 0; });
}

absl::Status ChangeFeed::Follow(const std::string& request) {
  std::shared_ptr<Followed> followed;
  {
    std::lock_guard lock(mutex_);
    std::shared_ptr<Followed>& entry = followed_[request];
    if (entry == nullptr) {
      entry = std::make_shared<Followed>();
      entry->request = request;
    }
    ++entry->followers;
    followed = entry;
  }
  std::lock_guard starting(followed->starting);
  if (followed->started) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<Subscription>> subscription = queue_.Subscribe(request);
  if (!subscription.ok()) {
    Unfollow(request);
    return subscription.status();
  }
  followed->subscription = *std::move(subscription);
  followed->started = true;
  {
    std::lock_guard lock(mutex_);
    ++threads_;
  }
  std::thread([this, followed] {
    Listen(*followed);
    std::lock_guard lock(mutex_);
    --threads_;
    thread_ended_.notify_all();
  }).detach();
  return absl::OkStatus();
}

void ChangeFeed::Unfollow(const std::string& request) {
  std::lock_guard lock(mutex_);
  const auto found = followed_.find(request);
  if (found == followed_.end() || --found->second->followers > 0) return;
  found->second->stopping = true;
  followed_.erase(found);
}

void ChangeFeed::Listen(Followed& followed) {
  absl::Time told = absl::Now();
  absl::Duration backoff = kFirstBackoff;
  while (!followed.stopping) {
    if (followed.subscription == nullptr) {
      absl::StatusOr<std::unique_ptr<Subscription>> again = queue_.Subscribe(followed.request);
      if (!again.ok()) {
        absl::SleepFor(backoff);
        backoff = std::min(backoff * 2, kMaxBackoff);
        continue;
      }
      followed.subscription = *std::move(again);
      backoff = kFirstBackoff;
      on_change_(followed.request);
    }
    const absl::StatusOr<bool> changed = followed.subscription->Wait(absl::Now() + kWaitSlice);
    if (!changed.ok()) {
      followed.subscription.reset();
      on_change_(followed.request);  // its watchers learn from their next read whether Redis itself is lost
      continue;
    }
    if (*changed || absl::Now() - told > kStrayInterval) {
      told = absl::Now();
      on_change_(followed.request);
    }
  }
}

}  // namespace slipway
