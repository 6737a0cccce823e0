#include <algorithm>
#include <cstring>

#include "common/base/error.h"
#include "common/store/s3/blob_streams.h"

namespace slipway::s3 {
namespace {

class Reader final : public BlobReader {
 public:
  Reader(Client& client, const S3Options& options, std::string key, const Digest& digest, uint64_t offset,
         std::function<void(const Object&)> damaged)
      : client_(client),
        read_bytes_(options.read_bytes),
        key_(std::move(key)),
        digest_(digest),
        position_(offset),
        from_start_(offset == 0),
        damaged_(std::move(damaged)) {}

  // Learns what the object is, with the first bytes unless there are none.
  absl::Status Begin() {
    if (position_ < digest_.bytes) {
      RETURN_IF_ERROR(Fetch());
    } else {
      ASSIGN_OR_RETURN(object_, client_.Head(key_));
      if (object_.bytes != digest_.bytes) return Damaged();
    }
    return client_.KeepYoung(object_);
  }

  absl::StatusOr<size_t> Read(std::span<std::byte> buffer) override {
    RETURN_IF_ERROR(failure_);
    if (buffer.empty()) return size_t{0};
    if (used_ == chunk_.size()) {
      if (position_ == digest_.bytes) return End();
      failure_ = Fetch();
      RETURN_IF_ERROR(failure_);
    }
    size_t count = std::min(buffer.size(), chunk_.size() - used_);
    std::memcpy(buffer.data(), chunk_.data() + used_, count);
    if (from_start_ && !verified_) hasher_.Update(buffer.first(count));
    used_ += count;
    position_ += count;
    return count;
  }

 private:
  absl::Status Fetch() {
    const uint64_t count = std::min(read_bytes_, digest_.bytes - position_);
    ASSIGN_OR_RETURN(chunk_, Get(position_, count));
    used_ = 0;
    if (!from_start_ || count != digest_.bytes) return absl::OkStatus();
    // Nothing is handed out yet: an answer that was damaged on its way costs another one.
    const Digest got = Digest::Of(chunk_);
    if (got != digest_) {
      ASSIGN_OR_RETURN(chunk_, Get(0, count));
      if (const Digest again = Digest::Of(chunk_); again != digest_) return Differs(got, again);
    }
    verified_ = true;
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Get(uint64_t offset, uint64_t count) {
    Object object;
    absl::StatusOr<std::string> bytes = client_.Get(key_, offset, count, object);
    // 416, or another size: the object is not as long as its name says.
    const bool refused = bytes.status().code() == absl::StatusCode::kFailedPrecondition && object_.key.empty();
    if (refused || (bytes.ok() && (object.bytes != digest_.bytes || bytes->size() != count))) {
      ASSIGN_OR_RETURN(object_, client_.Head(key_));
      return object_.bytes == digest_.bytes ? Unavailable("blob {}: replaced while it was read", digest_.ToString())
                                            : Damaged();
    }
    if (bytes.ok()) object_ = object;
    return bytes;
  }

  absl::StatusOr<size_t> End() {
    if (!from_start_ || verified_) return size_t{0};
    const Digest got = hasher_.Finish();
    if (got != digest_) return failure_ = ReadAgain(got);
    verified_ = true;
    return size_t{0};
  }

  // What was handed out hashes to `got`. Whether that is the object's fault only another reading tells.
  absl::Status ReadAgain(const Digest& got) {
    Hasher hasher;
    for (uint64_t offset = 0; offset < digest_.bytes;) {
      ASSIGN_OR_RETURN(const std::string bytes, Get(offset, std::min(read_bytes_, digest_.bytes - offset)));
      hasher.Update(std::as_bytes(std::span(bytes)));
      offset += bytes.size();
    }
    return Differs(got, hasher.Finish());
  }

  // Two readings that failed: the same bytes twice are those that are stored.
  absl::Status Differs(const Digest& first, const Digest& second) {
    if (first == second) return Damaged();
    return Unavailable("blob {}: its bytes were damaged on their way", digest_.ToString());
  }

  absl::Status Damaged() {
    damaged_(object_);
    return DataLoss("blob {}: the stored bytes are damaged", digest_.ToString());
  }

  Client& client_;
  const uint64_t read_bytes_;
  const std::string key_;
  const Digest digest_;
  uint64_t position_;
  const bool from_start_;
  std::function<void(const Object&)> damaged_;
  Object object_;
  std::string chunk_;
  size_t used_ = 0;
  Hasher hasher_;
  bool verified_ = false;
  absl::Status failure_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<BlobReader>> OpenReader(Client& client, const S3Options& options, std::string key,
                                                       const Digest& digest, uint64_t offset,
                                                       std::function<void(const Object&)> damaged) {
  auto reader = std::make_unique<Reader>(client, options, std::move(key), digest, offset, std::move(damaged));
  RETURN_IF_ERROR(reader->Begin());
  return reader;
}

}  // namespace slipway::s3
