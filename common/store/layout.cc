#include "common/store/layout.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/base/error.h"
#include "common/base/random.h"

namespace slipway {

absl::Status StoreLayout::CheckTenant(std::string_view tenant) {
  auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; };
  if (!tenant.empty() && tenant.size() <= 64 && std::all_of(tenant.begin(), tenant.end(), allowed))
    return absl::OkStatus();
  return InvalidArgument("tenant \"{}\": must be 1 to 64 of a-z 0-9 _ -", tenant);
}

std::filesystem::path StoreLayout::BlobPath(std::string_view tenant, const Digest& digest) const {
  std::string hex = digest.Hex();
  return root_ / "t" / tenant / hex.substr(0, 2) / fmt::format("{}-{}", hex, digest.bytes);
}

absl::StatusOr<std::filesystem::path> StoreLayout::TemporaryPath(std::string_view tenant) const {
  std::filesystem::path folder = root_ / "t" / tenant / "tmp";
  RETURN_IF_ERROR(MakeFolders(folder));
  return folder / RandomHex(16);
}

absl::Status StoreLayout::Publish(int fd, const std::filesystem::path& file, std::string_view tenant,
                                  const Digest& digest) const {
  std::filesystem::path blob = BlobPath(tenant, digest);
  RETURN_IF_ERROR(MakeFolders(blob.parent_path()));
  if (::fchmod(fd, 0444) != 0) return StoreErrno(errno, fmt::format("fchmod {}", file.string()));
  if (!ephemeral_ && ::fsync(fd) != 0) return StoreErrno(errno, fmt::format("fsync {}", file.string()));
  if (::rename(file.c_str(), blob.c_str()) != 0) return StoreErrno(errno, fmt::format("rename to {}", blob.string()));
  if (ephemeral_) return absl::OkStatus();
  UniqueFd folder(::open(blob.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid() || ::fsync(folder.get()) != 0)
    return StoreErrno(errno, fmt::format("fsync {}", blob.parent_path().string()));
  return absl::OkStatus();
}

absl::Status StoreErrno(int error_number, std::string_view what) {
  absl::Status status = ErrnoStatus(error_number, what);
  bool no_space = error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;
  if (!no_space || status.code() == absl::StatusCode::kResourceExhausted) return status;
  return WithKind(absl::Status(absl::StatusCode::kResourceExhausted, status.message()), ErrorKind::kMachine);
}

absl::Status MakeFolders(const std::filesystem::path& folder) {
  if (::mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
  if (errno != ENOENT || folder.parent_path() == folder)
    return StoreErrno(errno, fmt::format("mkdir {}", folder.string()));
  RETURN_IF_ERROR(MakeFolders(folder.parent_path()));
  if (::mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
  return StoreErrno(errno, fmt::format("mkdir {}", folder.string()));
}

ScopedFile::~ScopedFile() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

}  // namespace slipway
