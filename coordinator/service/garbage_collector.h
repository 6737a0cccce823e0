// The thread that removes from the store what no request of the queue names: docs/store.md, "Garbage".
#pragma once

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/queue/queue.h"
#include "common/store/store.h"

namespace slipway {

struct GarbageCollectorOptions {
  absl::Duration untouched = absl::Hours(24);  // GarbageOptions::untouched
  absl::Duration every = absl::Hours(1);
  bool adopt = false;  // the store becomes this farm's, whoever's it was

  // Collects each hour, more often when blobs may go sooner.
  static GarbageCollectorOptions After(absl::Duration untouched, bool adopt) {
    return {untouched, std::clamp(untouched, absl::Seconds(1), absl::Hours(1)), adopt};
  }
};

class GarbageCollector {
 public:
  // Binds the store to the queue's farm if it is nobody's, or if it may be adopted; then collects now and each `every`,
  // until destroyed. Another farm's store is left alone, with a line in the log that says how to adopt it. Borrows both.
  GarbageCollector(const GarbageCollectorOptions& options, Queue& queue, Store& store);
  ~GarbageCollector();

  // One collection. CANCELLED: being destroyed.
  absl::StatusOr<GarbageReport> Collect(absl::Time now);

 private:
  void Run();
  absl::Status Bind(const std::string& farm);
  bool Stopping();

  const GarbageCollectorOptions options_;
  Queue& queue_;
  Store& store_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace slipway
