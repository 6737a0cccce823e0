// Where requests' specs are stored, and what pages of cells need of them is kept, so that a page does not cost a blob and a parse, nor an equal
// request another blob.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "common/base/digest.h"
#include "common/store/store.h"
#include "common/task/task.h"
#include "coordinator/planner/cell_names.h"

namespace slipway {

// Thread-safe. Keeps names of `max_bytes` at most, the least recently used leave first; larger ones are kept alone. Specs that the queue carries are
// parsed anew: they are small.
class SpecCache {
 public:
  explicit SpecCache(Store& store, size_t max_bytes = 32 << 20) : store_(store), max_bytes_(max_bytes) {}

  // `carried` as the queue's requests have it. Reads the store on a miss: blocks. The store's errors; DATA_LOSS when it is no spec.
  absl::StatusOr<std::shared_ptr<const CellNames>> Get(const std::string& tenant, const std::string& carried);

  // What the queue shall carry of `spec`, whose JSON is `json`: that itself, if it is small; else it is stored as a blob (one that this coordinator has stored or read before, and
  // that is still there, is only touched), and this is its digest.
  absl::StatusOr<std::string> Put(const std::string& tenant, const RequestSpec& spec, std::string json);

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const CellNames> names;
  };
  std::shared_ptr<const CellNames> Find(const std::string& key);
  void Add(const std::string& key, std::shared_ptr<const CellNames> names);

  Store& store_;
  const size_t max_bytes_;
  std::mutex parsing_;  // one at a time: a parse takes many times the memory of what is kept
  std::mutex mutex_;
  std::list<Entry> by_use_;  // most recent first
  absl::flat_hash_map<std::string, std::list<Entry>::iterator> entries_;
  size_t bytes_ = 0;
};

}  // namespace slipway
