// Which requests may have changed: one subscription a request, however many watch it.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "common/queue/queue.h"

namespace slipway {

// Thread-safe.
class ChangeFeed {
 public:
  // `on_change` is called from the feed's threads with a followed request that may have changed: after each published
  // change, when a subscription is lost and when it is made again, and every few seconds in case a change went astray.
  ChangeFeed(Queue& queue, std::function<void(const std::string& request)> on_change);
  // All must have been unfollowed.
  ~ChangeFeed();

  // Changes after an OK return are told. Blocks on Redis. Each Follow that returned OK needs one Unfollow.
  absl::Status Follow(const std::string& request);
  void Unfollow(const std::string& request);

 private:
  struct Followed;
  void Listen(Followed& followed);

  Queue& queue_;
  const std::function<void(const std::string&)> on_change_;
  std::mutex mutex_;
  std::condition_variable thread_ended_;
  std::map<std::string, std::shared_ptr<Followed>> followed_;
  int threads_ = 0;
};

}  // namespace slipway
