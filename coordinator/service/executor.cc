#include "coordinator/service/executor.h"

#include <utility>

namespace slipway {

Executor::Executor(int threads, size_t max_waiting) : max_waiting_(max_waiting) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

Executor::~Executor() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool Executor::TryRun(std::function<void()> job) {
  {
    std::lock_guard lock(mutex_);
    if (jobs_.size() >= max_waiting_) return false;
    jobs_.emplace(Clock::now(), std::move(job));
  }
  changed_.notify_one();
  return true;
}

void Executor::RunAt(Clock::time_point due, std::function<void()> job) {
  {
    std::lock_guard lock(mutex_);
    jobs_.emplace(due, std::move(job));
  }
  changed_.notify_one();
}

void Executor::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    if (jobs_.empty()) {
      if (stopping_) return;
      changed_.wait(lock);
      continue;
    }
    if (const auto due = jobs_.begin()->first; !stopping_ && due > Clock::now()) {
      changed_.wait_until(lock, due);
      continue;
    }
    auto job = std::move(jobs_.begin()->second);
    jobs_.erase(jobs_.begin());
    lock.unlock();
    job();
    job = nullptr;  // what it holds is released outside the lock
    lock.lock();
  }
}

}  // namespace slipway
