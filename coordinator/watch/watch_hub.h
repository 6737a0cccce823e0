// Watchers of requests. Each is a small state machine that holds one page at most: when the last page has been taken and
// something may have changed, it reads the next from the queue. A slow watcher therefore costs a page of memory and sees
// coalesced progress; terminal states stay in the queue until they have been read.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "common/queue/queue.h"
#include "coordinator/planner/spec_cache.h"
#include "coordinator/service/caller.h"
#include "coordinator/service/executor.h"
#include "proto/slipway/v1/export.pb.h"

namespace slipway {

class Watcher;

// Thread-safe.
class WatchHub {
 public:
  static constexpr size_t kMaxWatchers = 10'000;  // more are RESOURCE_EXHAUSTED

  // Borrows both. Must outlive the server whose calls it serves.
  WatchHub(Queue& queue, SpecCache& specs);
  ~WatchHub();  // waits for the calls that it serves to end

  // Serves one admitted Watch call: a snapshot of what is newer than `cursor`, then changes, until the request has ended.
  grpc::ServerWriteReactor<v1::WatchResponse>* Watch(Call call, const std::string& request, uint64_t cursor);

  // Ends all watches, and later ones, with UNAVAILABLE: their clients go on at another coordinator.
  void Close();

 private:
  friend class Watcher;
  void OnChange(const std::string& request);
  void Remove(const std::shared_ptr<Watcher>& watcher);

  Queue& queue_;
  SpecCache& specs_;
  std::mutex mutex_;
  std::multimap<std::string, std::shared_ptr<Watcher>> watchers_;  // by request
  std::condition_variable removed_;
  bool closed_ = false;
  std::unique_ptr<Changes> feed_;
  Executor executor_;  // last: its jobs use all of the above
};

}  // namespace slipway
