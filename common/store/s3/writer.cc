#include <algorithm>

#include "common/base/error.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/store/hashing_writer.h"
#include "common/store/s3/blob_streams.h"

namespace slipway::s3 {
namespace {

constexpr uint64_t kMostParts = 10'000;       // S3's limit
constexpr uint64_t kWorthAsking = 256 << 10;  // smaller blobs are sent unasked: one round trip instead of two

class Writer final : public HashingWriter {
 public:
  Writer(Client& client, const S3Options& options, std::string key, const Digest& digest)
      : HashingWriter(digest),
        client_(client),
        key_(std::move(key)),
        part_bytes_(std::max(options.part_bytes, digest.bytes / kMostParts + 1)) {}
  ~Writer() override { Abandon(); }

 private:
  absl::Status Append(std::span<const std::byte> data) override {
    while (!data.empty()) {
      // The last part waits for Commit, so that a blob of one part needs no multipart upload.
      if (part_.size() == part_bytes_) RETURN_IF_ERROR(SendPart());
      size_t count = std::min<uint64_t>(data.size(), part_bytes_ - part_.size());
      part_.append(reinterpret_cast<const char*>(data.data()), count);
      data = data.subspan(count);
    }
    return absl::OkStatus();
  }

  absl::Status SendPart() {
    if (upload_.empty() && !stored_already_) {
      ASSIGN_OR_RETURN(stored_already_, IsStored());
      if (!stored_already_) {
        ASSIGN_OR_RETURN(upload_, client_.BeginUpload(key_));
      }
    }
    if (!stored_already_) {
      ASSIGN_OR_RETURN(std::string etag, client_.PutPart(key_, upload_, static_cast<int>(etags_.size()) + 1, part_));
      etags_.push_back(std::move(etag));
    }
    part_.clear();
    return absl::OkStatus();
  }

  absl::Status Publish() override {
    if (stored_already_) return absl::OkStatus();
    if (upload_.empty()) {
      bool stored = false;
      if (digest().bytes >= kWorthAsking) {
        ASSIGN_OR_RETURN(stored, IsStored());
      }
      if (stored) return absl::OkStatus();
      Failpoint("store.written");
      RETURN_IF_ERROR(client_.Put(key_, part_));
      Failpoint("store.published");
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(SendPart());
    Failpoint("store.written");
    absl::Status completed = client_.CompleteUpload(key_, upload_, etags_);
    if (absl::IsNotFound(completed)) {
      // An earlier try may have completed it and its reply been lost.
      ASSIGN_OR_RETURN(bool stored, IsStored());
      if (!stored) return Unavailable("blob {}: its upload vanished", digest().ToString());
      completed = absl::OkStatus();
    }
    RETURN_IF_ERROR(completed);
    upload_.clear();
    Failpoint("store.published");
    return absl::OkStatus();
  }

  absl::StatusOr<bool> IsStored() {
    absl::StatusOr<Object> object = client_.Head(key_);
    if (absl::IsNotFound(object.status())) return false;
    RETURN_IF_ERROR(object.status());
    if (object->bytes != digest().bytes) return false;
    absl::Status young = client_.KeepYoung(*object);
    if (absl::IsNotFound(young)) return false;
    RETURN_IF_ERROR(young);
    return true;
  }

  void Abandon() override {
    if (upload_.empty()) return;
    if (absl::Status aborted = client_.AbortUpload(key_, upload_); !aborted.ok())
      LogWarning("upload left to garbage collection", {{"key", key_}, {"reason", Message(aborted)}});
    upload_.clear();
  }

  Client& client_;
  const std::string key_;
  const uint64_t part_bytes_;
  std::string part_, upload_;
  std::vector<std::string> etags_;
  bool stored_already_ = false;
};

}  // namespace

std::unique_ptr<BlobWriter> CreateWriter(Client& client, const S3Options& options, std::string key,
                                         const Digest& digest) {
  return std::make_unique<Writer>(client, options, std::move(key), digest);
}

}  // namespace slipway::s3
