#include "coordinator/planner/spec_cache.h"

#include "common/base/error.h"

namespace slipway {

absl::StatusOr<std::shared_ptr<const RequestSpec>> SpecCache::Get(const std::string& tenant,
                                                                  const std::string& digest) {
  const std::string key = tenant + "/" + digest;
  {
    std::lock_guard lock(mutex_);
    if (const auto found = entries_.find(key); found != entries_.end()) {
      by_use_.splice(by_use_.begin(), by_use_, found->second);
      return found->second->spec;
    }
  }
  ASSIGN_OR_RETURN(const Digest name, Digest::Parse(digest));
  ASSIGN_OR_RETURN(const std::string json, ReadBlob(store_, tenant, name));
  absl::StatusOr<RequestSpec> parsed = RequestSpec::FromJson(json);
  if (!parsed.ok())
    return WithKind(DataLoss("the request's spec {} cannot be read: {}", digest, Message(parsed.status())),
                    ErrorKind::kMachine);
  auto spec = std::make_shared<const RequestSpec>(*std::move(parsed));

  std::lock_guard lock(mutex_);
  if (entries_.contains(key)) return spec;  // another thread was faster
  by_use_.push_front({key, spec});
  entries_[key] = by_use_.begin();
  tasks_ += spec->tasks.size();
  while (tasks_ > max_tasks_ && by_use_.size() > 1) {
    tasks_ -= by_use_.back().spec->tasks.size();
    entries_.erase(by_use_.back().key);
    by_use_.pop_back();
  }
  return spec;
}

}  // namespace slipway
