#include "common/store/s3/garbage.h"

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/store/garbage.h"
#include "common/store/layout.h"

namespace slipway::s3 {
namespace {

constexpr uint64_t kChunk = 4 << 20;

absl::StatusOr<std::string> GetWhole(Client& client, const Object& object) {
  std::string bytes;
  while (bytes.size() < object.bytes) {
    Object read;
    ASSIGN_OR_RETURN(std::string chunk, client.Get(object.key, bytes.size(), kChunk, read));
    if (chunk.empty()) return Unavailable("S3: {} became shorter while it was read", object.key);
    bytes += chunk;
  }
  return bytes;
}

class Pins final : public BlobPins {
 public:
  Pins(Client& client, std::string key, absl::Duration lasts) : client_(client), key_(std::move(key)), lasts_(lasts) {}
  ~Pins() override {
    if (absl::Status deleted = lines_.empty() ? absl::OkStatus() : client_.Delete(key_); !deleted.ok())
      LogWarning("pins left to grow old", {{"key", key_}, {"reason", Message(deleted)}});
  }
  absl::Status Add(std::string_view tenant, std::span<const Digest> digests) override {
    RETURN_IF_ERROR(StoreLayout::CheckTenant(tenant));
    std::lock_guard lock(mutex_);
    lines_ += PinLines(tenant, digests);
    return client_.Put(key_, lines_);
  }
  absl::Duration lasts() const override { return lasts_; }

 private:
  Client& client_;
  const std::string key_;
  const absl::Duration lasts_;
  std::mutex mutex_;
  std::string lines_;
};

}  // namespace

absl::Status BindFarm(Client& client, const std::string& prefix, std::string_view farm) {
  RETURN_IF_ERROR(CheckFarmName(farm));
  return client.Put(prefix + "farm", farm);
}

absl::StatusOr<std::string> ReadFarm(Client& client, const std::string& prefix) {
  absl::StatusOr<Object> farm = client.Head(prefix + "farm");
  if (absl::IsNotFound(farm.status())) return "";
  RETURN_IF_ERROR(farm.status());
  return GetWhole(client, *farm);
}

std::unique_ptr<BlobPins> MakePins(Client& client, const std::string& prefix, absl::Duration lasts) {
  return std::make_unique<Pins>(client, prefix + "pins/" + RandomHex(16), lasts);
}

absl::StatusOr<GarbageReport> CollectGarbage(Client& client, const std::string& prefix, const GarbageOptions& options) {
  ASSIGN_OR_RETURN(const std::string bound, ReadFarm(client, prefix));
  RETURN_IF_ERROR(CheckFarm(bound, options.farm));

  GarbageReport report;
  PinnedBlobs pins;
  RETURN_IF_ERROR(client.List(prefix + "pins/", [&](const Object& object) -> absl::Status {
    if (object.modified <= options.now - options.untouched) return client.Delete(object.key);
    absl::StatusOr<std::string> lines = GetWhole(client, object);
    if (absl::IsNotFound(lines.status())) return absl::OkStatus();  // its process ended just now
    RETURN_IF_ERROR(lines.status());
    pins.AddLines(*lines);
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(client.List(prefix + "t/", [&](const Object& object) -> absl::Status {
    std::optional<NamedBlob> blob = ParseBlobKey(std::string_view(object.key).substr(prefix.size()));
    if (!blob) return absl::OkStatus();  // not ours
    ASSIGN_OR_RETURN(bool garbage, IsGarbage(options, pins, blob->tenant, blob->digest, object.modified, report));
    if (!garbage) return absl::OkStatus();
    // The page may be old by now.
    absl::StatusOr<Object> now = client.Head(object.key);
    if (absl::IsNotFound(now.status())) return absl::OkStatus();
    RETURN_IF_ERROR(now.status());
    if (now->modified > options.now - options.untouched) {
      ++report.young;
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(client.Delete(object.key));
    ++report.removed;
    report.removed_bytes += object.bytes;
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(client.List(prefix + "ac/", [&](const Object& object) -> absl::Status {
    if (object.modified > options.now - options.untouched) return absl::OkStatus();
    ++report.actions;
    return client.Delete(object.key);
  }));
  ASSIGN_OR_RETURN(std::vector<Upload> uploads, client.ListUploads(prefix + "t/"));
  for (const Upload& upload : uploads) {
    if (upload.begun > options.now - options.untouched) continue;
    RETURN_IF_ERROR(client.AbortUpload(upload.key, upload.id));
    ++report.abandoned;
  }
  return report;
}

}  // namespace slipway::s3
