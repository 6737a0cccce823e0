#include "common/queue/pool.h"

#include <algorithm>

#include "absl/time/clock.h"
#include "common/base/clock.h"
#include "common/base/error.h"

namespace slipway {

absl::Duration ReconnectDelay(int failures, Random& jitter, absl::Duration longest) {
  absl::Duration whole = std::min(longest, absl::Milliseconds(10) * (1 << std::min(failures, 7)));
  return whole * (0.5 + 0.5 * jitter.Uniform());
}

absl::Duration LongestReconnectDelay(absl::Duration lease) { return std::min(kLongestReconnectDelay, lease / 10); }

Pool::Pool(Endpoint endpoint, size_t most, absl::Duration longest_delay)
    : endpoint_(std::move(endpoint)),
      most_(most),
      longest_delay_(longest_delay),
      jitter_(std::stoull(RandomHex(8), nullptr, 16)) {}

absl::StatusOr<Pool::Borrowed> Pool::Borrow(absl::Time deadline) {
  absl::Time allowed;
  {
    std::unique_lock lock(mutex_);
    if (!freed_.wait_for(lock, absl::ToChronoNanoseconds(deadline - SteadyNow()), [&] { return used_ < most_; }))
      return Unavailable("Redis: all {} connections are busy", most_);
    ++used_;
    if (!idle_.empty()) {
      std::unique_ptr<Connection> connection = std::move(idle_.back());
      idle_.pop_back();
      return Borrowed(*this, std::move(connection));
    }
    allowed = next_attempt_;
  }
  absl::SleepFor(std::min({allowed - SteadyNow(), deadline - SteadyNow(), absl::Seconds(1)}));
  absl::StatusOr<std::unique_ptr<Connection>> connection = Connection::Open(endpoint_, deadline);
  RecordConnect(connection.ok());
  RETURN_IF_ERROR(connection.status());
  return Borrowed(*this, *std::move(connection));
}

void Pool::RecordConnect(bool succeeded) {
  std::lock_guard lock(mutex_);
  if (succeeded) {
    failures_ = 0;
    next_attempt_ = absl::InfinitePast();
    return;
  }
  --used_;
  next_attempt_ = SteadyNow() + ReconnectDelay(failures_++, jitter_, longest_delay_);
  freed_.notify_one();
}

void Pool::GiveBack(std::unique_ptr<Connection> connection) {
  std::lock_guard lock(mutex_);
  --used_;
  if (!connection->broken()) idle_.push_back(std::move(connection));
  freed_.notify_one();
}

void Pool::CloseIdle() {
  std::lock_guard lock(mutex_);
  idle_.clear();
}

}  // namespace slipway
