// Parsed request specs, so that a watcher's page does not cost a blob and a parse.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "common/store/store.h"
#include "common/task/task.h"

namespace slipway {

// Thread-safe. Holds at most `max_tasks` tasks' worth of specs (about 100 bytes each), the least recently used leave first; one larger spec is held alone.
class SpecCache {
 public:
  explicit SpecCache(Store& store, size_t max_tasks = 500'000) : store_(store), max_tasks_(max_tasks) {}

  // `digest` in Digest::ToString()'s form, as requests carry it. Reads the store on a miss: blocks. The store's errors; DATA_LOSS when the blob is no spec.
  absl::StatusOr<std::shared_ptr<const RequestSpec>> Get(const std::string& tenant, const std::string& digest);

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const RequestSpec> spec;
  };
  Store& store_;
  const size_t max_tasks_;
  std::mutex mutex_;
  std::list<Entry> by_use_;  // most recent first
  absl::flat_hash_map<std::string, std::list<Entry>::iterator> entries_;
  size_t tasks_ = 0;
};

}  // namespace slipway
