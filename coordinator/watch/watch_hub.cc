#include "coordinator/watch/watch_hub.h"

#include <vector>

#include "common/base/error.h"
#include "common/base/retry_after.h"
#include "common/metrics/metrics.h"
#include "coordinator/watch/watcher.h"

namespace slipway {
namespace {

const metrics::Gauge kWatchers("slipway_watchers", "Watch calls under way.");

constexpr int kThreads = 4;
constexpr char kStopping[] = "this coordinator is stopping; watch on at another";

}  // namespace

WatchHub::WatchHub(Queue& queue, SpecCache& specs)
    : queue_(queue),
      specs_(specs),
      feed_(queue.FollowChanges([this](const std::string& request) { OnChange(request); })),
      executor_(kThreads, kMaxWatchers) {}

WatchHub::~WatchHub() {
  std::unique_lock lock(mutex_);
  removed_.wait(lock, [this] { return watchers_.empty(); });
}

grpc::ServerWriteReactor<v1::WatchResponse>* WatchHub::Watch(Call call, const std::string& request, uint64_t cursor) {
  absl::Status refused;
  auto watcher = std::make_shared<Watcher>(*this, std::move(call), request, cursor);
  {
    std::lock_guard lock(mutex_);
    if (closed_) {
      refused = Unavailable("{}", kStopping);
    } else if (watchers_.size() >= kMaxWatchers) {
      refused =
          WithRetryAfter(ResourceExhausted("this coordinator serves {} watchers already", kMaxWatchers), kRetryAfter);
    }
    watchers_.emplace(request, watcher);
    kWatchers.Set({}, static_cast<double>(watchers_.size()));
  }
  if (!refused.ok()) watcher->Stop(refused);
  watcher->Start();
  return watcher.get();
}

void WatchHub::Close() {
  std::vector<std::shared_ptr<Watcher>> watchers;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    for (const auto& [request, watcher] : watchers_) watchers.push_back(watcher);
  }
  for (const auto& watcher : watchers) watcher->Stop(Unavailable("{}", kStopping));
}

void WatchHub::OnChange(const std::string& request) {
  std::vector<std::shared_ptr<Watcher>> watchers;
  {
    std::lock_guard lock(mutex_);
    const auto [begin, end] = watchers_.equal_range(request);
    for (auto it = begin; it != end; ++it) watchers.push_back(it->second);
  }
  for (const auto& watcher : watchers) watcher->Wake();
}

void WatchHub::Remove(const std::shared_ptr<Watcher>& watcher) {
  std::lock_guard lock(mutex_);
  const auto [begin, end] = watchers_.equal_range(watcher->request());
  for (auto it = begin; it != end; ++it) {
    if (it->second == watcher) {
      watchers_.erase(it);
      kWatchers.Set({}, static_cast<double>(watchers_.size()));
      removed_.notify_all();
      return;
    }
  }
}

}  // namespace slipway
