// The thread that keeps the queue in order: expired leases returned, delayed tasks promoted.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "absl/time/time.h"
#include "common/queue/queue.h"

namespace slipway {

class Maintenance {
 public:
  // Calls queue.Maintain() now and then each `interval` until destroyed.
  Maintenance(Queue& queue, absl::Duration interval);
  ~Maintenance();

 private:
  void Run(absl::Duration interval);

  Queue& queue_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace slipway
