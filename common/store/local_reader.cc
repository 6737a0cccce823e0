#include "common/store/local_reader.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/base/error.h"

namespace slipway {
namespace {

class LocalReader final : public BlobReader {
 public:
  LocalReader(UniqueFd fd, const Digest& digest, uint64_t offset, std::function<void()> damaged)
      : fd_(std::move(fd)),
        digest_(digest),
        position_(offset),
        from_start_(offset == 0),
        damaged_(std::move(damaged)) {}

  absl::StatusOr<size_t> Read(std::span<std::byte> buffer) override {
    if (ended_) return end_;
    if (buffer.empty()) return size_t{0};
    size_t count = std::min<uint64_t>(buffer.size(), digest_.bytes - position_);
    if (count == 0) return End();
    ssize_t read;
    do {
      read = ::pread(fd_.get(), buffer.data(), count, static_cast<off_t>(position_));
    } while (read < 0 && errno == EINTR);
    if (read < 0) return ErrnoStatus(errno, fmt::format("read blob {}", digest_.ToString()));
    if (read == 0) return End();  // shorter than its name says: the hash tells
    if (from_start_) hasher_.Update(buffer.first(read));
    position_ += read;
    return static_cast<size_t>(read);
  }

 private:
  absl::StatusOr<size_t> End() {
    ended_ = true;
    bool whole = from_start_ ? hasher_.Finish() == digest_ : position_ == digest_.bytes;
    if (whole) return end_ = size_t{0};
    damaged_();
    return end_ = DataLoss("blob {}: the stored bytes are damaged", digest_.ToString());
  }

  UniqueFd fd_;
  const Digest digest_;
  uint64_t position_;
  const bool from_start_;
  std::function<void()> damaged_;
  Hasher hasher_;
  bool ended_ = false;
  absl::StatusOr<size_t> end_ = size_t{0};
};

}  // namespace

std::unique_ptr<BlobReader> MakeLocalReader(UniqueFd fd, const Digest& digest, uint64_t offset,
                                            std::function<void()> damaged) {
  return std::make_unique<LocalReader>(std::move(fd), digest, offset, std::move(damaged));
}

}  // namespace slipway
