#include "coordinator/planner/spec_cache.h"

#include "common/base/error.h"
#include "common/queue/queue.h"
#include "common/task/carried.h"

namespace slipway {
namespace {

size_t BytesOf(const std::string& key, const CellNames& names) { return 2 * key.size() + names.bytes(); }

std::string KeyOf(const std::string& tenant, const std::string& carried) { return tenant + "/" + carried; }

absl::StatusOr<std::shared_ptr<const CellNames>> Parse(const std::string& carried, const std::string& json) {
  const absl::StatusOr<RequestSpec> spec = RequestSpec::FromJson(json);
  if (spec.ok()) return std::make_shared<const CellNames>(*spec);
  const std::string name = IsCarriedSpec(carried) ? "the request's spec" : "the request's spec " + carried;
  if (absl::IsFailedPrecondition(spec.status())) return WithKind(Annotate(spec.status(), name), ErrorKind::kMachine);
  return WithKind(DataLoss("{} cannot be read: {}", name, Message(spec.status())), ErrorKind::kMachine);
}

}  // namespace

std::shared_ptr<const CellNames> SpecCache::Find(const std::string& key) {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return nullptr;
  by_use_.splice(by_use_.begin(), by_use_, found->second);
  return found->second->names;
}

void SpecCache::Add(const std::string& key, std::shared_ptr<const CellNames> names) {
  std::lock_guard lock(mutex_);
  if (entries_.contains(key)) return;  // another thread was faster
  bytes_ += BytesOf(key, *names);
  by_use_.push_front({key, std::move(names)});
  entries_[key] = by_use_.begin();
  while (bytes_ > max_bytes_ && by_use_.size() > 1) {
    bytes_ -= BytesOf(by_use_.back().key, *by_use_.back().names);
    entries_.erase(by_use_.back().key);
    by_use_.pop_back();
  }
}

absl::StatusOr<std::shared_ptr<const CellNames>> SpecCache::Get(const std::string& tenant, const std::string& carried) {
  if (IsCarriedSpec(carried)) return Parse(carried, carried);
  const std::string key = KeyOf(tenant, carried);
  if (auto held = Find(key)) return held;
  ASSIGN_OR_RETURN(const std::string json, ReadCarried(store_, tenant, carried));
  std::lock_guard lock(parsing_);
  if (auto held = Find(key)) return held;  // those who waited for the same
  ASSIGN_OR_RETURN(auto names, Parse(carried, json));
  Add(key, names);
  return names;
}

absl::StatusOr<std::string> SpecCache::Put(const std::string& tenant, const RequestSpec& spec, std::string json) {
  if (json.size() <= kMaxCarriedSpecBytes) return json;
  const Digest digest = Digest::Of(json);
  const std::string key = KeyOf(tenant, digest.ToString());
  if (Find(key) != nullptr) {
    ASSIGN_OR_RETURN(const std::vector<Digest> missing, store_.FindMissing(tenant, std::span(&digest, 1)));
    if (missing.empty()) return digest.ToString();
  }
  RETURN_IF_ERROR(WriteBlob(store_, tenant, json).status());
  Add(key, std::make_shared<const CellNames>(spec));
  return digest.ToString();
}

}  // namespace slipway
