// What earlier tasks made, by all that it was made from: docs/worker.md, "The action cache".
#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "common/store/store.h"
#include "common/task/task.h"
#include "worker/daemon/task_protocol.h"

namespace slipway {

struct ActionKeys {
  std::optional<Digest> artifact;  // a cell's: converter, source and the options that change the artifact's bytes
  Digest result;                   // besides, what proves it: reference, judges, tolerance
};
// `runtimes`: RuntimesOf the judges' interpreter.
ActionKeys KeysOf(const TaskMessage& task, std::string_view runtimes);

// Whether another run of the task would come to the same: neither a fault nor a runtime that is missing here.
bool IsLasting(const TaskMessage& task, const TaskOutput& output);

struct KeptResult {
  Digest digest;  // of its blob
  TaskResult result;
};

// Thread-safe. `store` outlives it.
class ActionCache {
 public:
  explicit ActionCache(Store& store) : store_(store) {}

  // The result under `key`, every blob of it there and verified; damaged ones are dropped, so that they are made again.
  std::optional<KeptResult> Find(const std::string& tenant, const Digest& key);
  // At best: what cannot be kept is made again.
  void Keep(const std::string& tenant, const Digest& key, const Digest& result);

  // Held by the one task of this worker that works at a key; the others find afterwards what it made.
  class Turn {
   public:
    Turn(ActionCache& cache, std::string name) : cache_(&cache), name_(std::move(name)) {}
    Turn(Turn&& other) noexcept : cache_(std::exchange(other.cache_, nullptr)), name_(std::move(other.name_)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn();

   private:
    ActionCache* cache_;
    const std::string name_;
  };
  // Blocks until it is the caller's turn, or `give_up` is true, asked now and then: then the caller just goes on.
  std::optional<Turn> Await(const std::string& tenant, const Digest& key, const std::function<bool()>& give_up);

 private:
  Store& store_;
  std::mutex mutex_;
  std::condition_variable ended_;
  absl::flat_hash_set<std::string> under_way_;
};

}  // namespace slipway
