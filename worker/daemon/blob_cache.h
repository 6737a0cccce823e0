// Parsed blobs that many tasks share.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "common/store/store.h"
#include "common/task/carried.h"

namespace slipway {

// The last specs, or prepare results, read: 64 at most, and of so much JSON that they stay small beside the tasks (parsed they take about three times as
// much); the last one whatever its size. Thread-safe.
template <typename T>
class BlobCache {
 public:
  explicit BlobCache(size_t max_bytes = 16 << 20) : max_bytes_(max_bytes) {}

  // What the queue carries as `carried`, read and parsed when it is not here. Errors are not kept.
  absl::StatusOr<std::shared_ptr<const T>> Get(Store& store, const std::string& tenant, const std::string& carried) {
    std::string key = tenant + "/" + carried;
    {
      std::lock_guard lock(mutex_);
      for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
        if (entry->key != key) continue;
        entries_.splice(entries_.begin(), entries_, entry);
        return entry->value;
      }
    }
    auto json = ReadCarried(store, tenant, carried);
    if (!json.ok()) return json.status();
    auto value = T::FromJson(*json);
    if (!value.ok()) return value.status();
    auto shared = std::make_shared<const T>(*std::move(value));
    std::lock_guard lock(mutex_);
    entries_.push_front({std::move(key), json->size(), shared});
    bytes_ += json->size();
    while (entries_.size() > kMaxEntries || (bytes_ > max_bytes_ && entries_.size() > 1)) {
      bytes_ -= entries_.back().bytes;
      entries_.pop_back();
    }
    return std::shared_ptr<const T>(shared);
  }

 private:
  static constexpr size_t kMaxEntries = 64;  // they are looked through
  struct Entry {
    std::string key;
    size_t bytes;
    std::shared_ptr<const T> value;
  };
  const size_t max_bytes_;
  std::mutex mutex_;
  std::list<Entry> entries_;  // most recent first
  size_t bytes_ = 0;
};

}  // namespace slipway
