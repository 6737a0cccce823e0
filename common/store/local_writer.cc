#include "common/store/local_writer.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/error.h"
#include "common/store/hashing_writer.h"

namespace slipway {
namespace {

class LocalWriter final : public HashingWriter {
 public:
  LocalWriter(const StoreLayout& layout, VerifiedFiles& verified, std::string tenant, const Digest& digest,
              std::filesystem::path path, UniqueFd fd)
      : HashingWriter(digest),
        layout_(layout),
        verified_(verified),
        tenant_(std::move(tenant)),
        file_(std::move(path)),
        fd_(std::move(fd)) {}

 private:
  absl::Status Append(std::span<const std::byte> data) override {
    while (!data.empty()) {
      ssize_t written = ::write(fd_.get(), data.data(), data.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return StoreErrno(errno, fmt::format("write {}", file_.path().string()));
      data = data.subspan(written);
    }
    return absl::OkStatus();
  }

  absl::Status Publish() override {
    RETURN_IF_ERROR(layout_.Publish(fd_.get(), file_.path(), tenant_, digest()));
    file_.Release();
    struct stat info;
    if (::fstat(fd_.get(), &info) == 0) verified_.Add(FileIdentity::Of(info), digest());
    return absl::OkStatus();
  }

  void Abandon() override {}  // the file goes with the writer

  const StoreLayout& layout_;
  VerifiedFiles& verified_;
  const std::string tenant_;
  ScopedFile file_;
  UniqueFd fd_;
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
