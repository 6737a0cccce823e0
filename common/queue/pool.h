// Connections shared by threads.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "common/base/random.h"
#include "common/queue/connection.h"

namespace slipway {

inline constexpr absl::Duration kLongestReconnectDelay = absl::Seconds(1);

// At most `most` connections, made when needed. After a failure the next attempt to connect waits, twice as long each
// time up to `longest_delay`, with jitter. Thread-safe; must outlive what was borrowed.
class Pool {
 public:
  // A connection for one thread's use, given back on destruction, or closed if it is broken.
  class Borrowed {
   public:
    Borrowed(Pool& pool, std::unique_ptr<Connection> connection) : pool_(&pool), connection_(std::move(connection)) {}
    Borrowed(Borrowed&&) = default;
    Borrowed& operator=(Borrowed&&) = delete;
    ~Borrowed() {
      if (connection_ != nullptr) pool_->GiveBack(std::move(connection_));
    }
    Connection& operator*() { return *connection_; }
    Connection* operator->() { return connection_.get(); }

   private:
    Pool* pool_;
    std::unique_ptr<Connection> connection_;
  };

  Pool(Endpoint endpoint, size_t most, absl::Duration longest_delay);

  // UNAVAILABLE when none is free or can be made by the deadline; errors of Connection::Open.
  absl::StatusOr<Borrowed> Borrow(absl::Time deadline);
  // Closes the idle ones: the server that they reached has changed.
  void CloseIdle();

 private:
  void GiveBack(std::unique_ptr<Connection> connection);
  void RecordConnect(bool succeeded);

  const Endpoint endpoint_;
  const size_t most_;
  const absl::Duration longest_delay_;
  std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<std::unique_ptr<Connection>> idle_;
  size_t used_ = 0;  // borrowed or being made
  int failures_ = 0;
  absl::Time next_attempt_ = absl::InfinitePast();
  Random jitter_;
};

// Delay before attempt `failures` + 1: 10 ms doubled each time, at most `longest`, times a half to one.
absl::Duration ReconnectDelay(int failures, Random& jitter, absl::Duration longest = kLongestReconnectDelay);

// What those may wait whose leases of that length end unless they come back in time.
absl::Duration LongestReconnectDelay(absl::Duration lease);

}  // namespace slipway
