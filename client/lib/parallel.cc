#include "client/lib/parallel.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

namespace slipway {

absl::Status ForEachInParallel(size_t count, int threads, const std::function<absl::Status(size_t)>& job) {
  std::atomic<size_t> next{0};
  std::mutex mutex;
  absl::Status first_error;
  const auto work = [&] {
    for (size_t i = next++; i < count; i = next++) {
      const absl::Status status = job(i);
      if (status.ok()) continue;
      next = count;
      std::lock_guard lock(mutex);
      if (first_error.ok()) first_error = status;
    }
  };
  {
    std::vector<std::jthread> helpers;
    for (size_t i = 1; i < std::min<size_t>(std::max(threads, 1), count); ++i) helpers.emplace_back(work);
    work();
  }
  return first_error;
}

}  // namespace slipway
