#include "coordinator/planner/spec_cache.h"

#include "common/base/error.h"
#include "common/queue/queue.h"
#include "common/task/carried.h"

namespace slipway {
namespace {

constexpr size_t kEntryBytes = 512;  // what the smallest spec takes besides its JSON

std::string KeyOf(const std::string& tenant, const std::string& carried) { return tenant + "/" + carried; }

}  // namespace

std::shared_ptr<const RequestSpec> SpecCache::Find(const std::string& key) {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return nullptr;
  by_use_.splice(by_use_.begin(), by_use_, found->second);
  return found->second->spec;
}

void SpecCache::Add(const std::string& key, std::shared_ptr<const RequestSpec> spec, size_t json_bytes) {
  const size_t bytes = json_bytes + kEntryBytes;
  std::lock_guard lock(mutex_);
  if (entries_.contains(key)) return;  // another thread was faster
  by_use_.push_front({key, std::move(spec), bytes});
  entries_[key] = by_use_.begin();
  bytes_ += bytes;
  while (bytes_ > max_bytes_ && by_use_.size() > 1) {
    bytes_ -= by_use_.back().bytes;
    entries_.erase(by_use_.back().key);
    by_use_.pop_back();
  }
}

absl::StatusOr<std::shared_ptr<const RequestSpec>> SpecCache::Get(const std::string& tenant,
                                                                  const std::string& carried) {
  const std::string key = KeyOf(tenant, carried);
  if (auto held = Find(key)) return held;
  ASSIGN_OR_RETURN(const std::string json, ReadCarried(store_, tenant, carried));
  absl::StatusOr<RequestSpec> parsed = RequestSpec::FromJson(json);
  const std::string name = IsCarriedSpec(carried) ? "the request's spec" : "the request's spec " + carried;
  if (absl::IsFailedPrecondition(parsed.status()))
    return WithKind(Annotate(parsed.status(), name), ErrorKind::kMachine);
  if (!parsed.ok())
    return WithKind(DataLoss("{} cannot be read: {}", name, Message(parsed.status())), ErrorKind::kMachine);
  auto spec = std::make_shared<const RequestSpec>(*std::move(parsed));
  Add(key, spec, json.size());
  return spec;
}

absl::StatusOr<std::string> SpecCache::Put(const std::string& tenant, RequestSpec spec, std::string json) {
  if (json.size() <= kMaxCarriedSpecBytes) return json;
  const Digest digest = Digest::Of(json);
  const std::string key = KeyOf(tenant, digest.ToString());
  if (Find(key) != nullptr) {
    ASSIGN_OR_RETURN(const std::vector<Digest> missing, store_.FindMissing(tenant, std::span(&digest, 1)));
    if (missing.empty()) return digest.ToString();
  }
  RETURN_IF_ERROR(WriteBlob(store_, tenant, json).status());
  Add(key, std::make_shared<const RequestSpec>(std::move(spec)), json.size());
  return digest.ToString();
}

}  // namespace slipway
