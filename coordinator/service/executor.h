// A small fixed pool of threads for work that blocks (Redis, disk, hashing), which must not run on gRPC's callback threads.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/time/time.h"

namespace slipway {

// When those shall come again whom an overrun coordinator sends away.
inline constexpr absl::Duration kRetryAfter = absl::Milliseconds(500);

// Thread-safe. Jobs run in the order in which they are due.
class Executor {
 public:
  using Clock = std::chrono::steady_clock;

  // TryRun refuses jobs while `max_waiting` wait.
  Executor(int threads, size_t max_waiting);
  // Runs all that wait, the delayed ones at once, then joins. Nothing may be added meanwhile but by jobs.
  ~Executor();

  // False, and nothing done, when too many jobs wait: for new calls.
  bool TryRun(std::function<void()> job);
  // Never refused: for steps of calls under way, whose number the calls bound.
  void Run(std::function<void()> job) { RunAt(Clock::now(), std::move(job)); }
  void RunAt(Clock::time_point due, std::function<void()> job);

 private:
  void Work();

  const size_t max_waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<Clock::time_point, std::function<void()>> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace slipway
