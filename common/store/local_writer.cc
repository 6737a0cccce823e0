#include "common/store/local_writer.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/error.h"

namespace slipway {
namespace {

class LocalWriter final : public BlobWriter {
 public:
  LocalWriter(const StoreLayout& layout, VerifiedFiles& verified, std::string tenant, const Digest& digest,
              std::filesystem::path path, UniqueFd fd)
      : layout_(layout),
        verified_(verified),
        tenant_(std::move(tenant)),
        digest_(digest),
        file_(std::move(path)),
        fd_(std::move(fd)) {}

  absl::Status Write(std::span<const std::byte> data) override {
    RETURN_IF_ERROR(failure_);
    failure_ = Append(data);
    return failure_;
  }

  absl::Status Commit() override {
    RETURN_IF_ERROR(failure_);
    failure_ = FailedPrecondition("blob {} was committed already", digest_.ToString());
    Digest written = hasher_.Finish();
    if (written != digest_) {
      return InvalidArgument("blob {}: {} bytes of SHA-256 {} arrived", digest_.ToString(), written.bytes,
                             written.Hex());
    }
    RETURN_IF_ERROR(layout_.Publish(fd_.get(), file_.path(), tenant_, digest_));
    file_.Release();
    struct stat info;
    if (::fstat(fd_.get(), &info) == 0) verified_.Add(FileIdentity::Of(info), digest_);
    return absl::OkStatus();
  }

 private:
  absl::Status Append(std::span<const std::byte> data) {
    if (data.size() > digest_.bytes - received_)
      return InvalidArgument("blob {}: more than its {} bytes arrived", digest_.ToString(), digest_.bytes);
    received_ += data.size();
    hasher_.Update(data);
    while (!data.empty()) {
      ssize_t written = ::write(fd_.get(), data.data(), data.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return StoreErrno(errno, fmt::format("write {}", file_.path().string()));
      data = data.subspan(written);
    }
    return absl::OkStatus();
  }

  const StoreLayout& layout_;
  VerifiedFiles& verified_;
  const std::string tenant_;
  const Digest digest_;
  ScopedFile file_;
  UniqueFd fd_;
  Hasher hasher_;
  uint64_t received_ = 0;
  absl::Status failure_;  // the first error sticks: a blob with a hole must not be committed
};

}  // namespace

absl::StatusOr<std::unique_ptr<BlobWriter>> CreateLocalWriter(const StoreLayout& layout, VerifiedFiles& verified,
                                                              std::string tenant, const Digest& digest, bool reserve) {
  ASSIGN_OR_RETURN(std::filesystem::path path, layout.TemporaryPath(tenant));
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) return StoreErrno(errno, fmt::format("open {}", path.string()));
  ::flock(fd.get(), LOCK_EX | LOCK_NB);  // says that somebody goes on with it; where locks fail, its age does
  ScopedFile unfinished(path);
  if (reserve && ::ftruncate(fd.get(), static_cast<off_t>(digest.bytes)) != 0)
    return StoreErrno(errno, fmt::format("ftruncate {}", path.string()));
  unfinished.Release();
  return std::make_unique<LocalWriter>(layout, verified, std::move(tenant), digest, std::move(path), std::move(fd));
}

}  // namespace slipway
