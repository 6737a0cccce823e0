#include "coordinator/service/interrupted_uploads.h"

#include <algorithm>

namespace slipway {

std::list<InterruptedUploads::Kept>::iterator InterruptedUploads::Find(const std::string& tenant, const Digest& digest,
                                                                       absl::Time now, std::list<Kept>& expired) {
  while (!kept_.empty() && kept_.front().until <= now) expired.splice(expired.end(), kept_, kept_.begin());
  return std::ranges::find_if(kept_, [&](const Kept& kept) { return kept.tenant == tenant && kept.digest == digest; });
}

void InterruptedUploads::Keep(const std::string& tenant, const Digest& digest, InterruptedUpload upload,
                              absl::Time now) {
  std::list<Kept> dropped;
  std::lock_guard lock(mutex_);
  if (const auto earlier = Find(tenant, digest, now, dropped); earlier != kept_.end())
    dropped.splice(dropped.end(), kept_, earlier);
  kept_.push_back({tenant, digest, std::move(upload), now + kKept});
  if (kept_.size() > kMost) dropped.splice(dropped.end(), kept_, kept_.begin());
}

uint64_t InterruptedUploads::Received(const std::string& tenant, const Digest& digest, absl::Time now) {
  std::list<Kept> expired;
  std::lock_guard lock(mutex_);
  const auto found = Find(tenant, digest, now, expired);
  return found == kept_.end() ? 0 : found->upload.received;
}

InterruptedUpload InterruptedUploads::Take(const std::string& tenant, const Digest& digest, absl::Time now) {
  std::list<Kept> expired;
  std::lock_guard lock(mutex_);
  const auto found = Find(tenant, digest, now, expired);
  if (found == kept_.end()) return {};
  InterruptedUpload upload = std::move(found->upload);
  kept_.erase(found);
  return upload;
}

}  // namespace slipway
