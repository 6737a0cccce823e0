#include "common/store/layout.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/base/error.h"
#include "common/base/failpoint.h"
#include "common/base/random.h"
#include "common/base/told.h"
#include "common/store/down.h"

namespace slipway {
namespace {

// What a caller may not do or does not find is another matter: here the farm may not, or lacks its folder.
bool IsAway(int error_number) {
  return error_number == EROFS || error_number == EACCES || error_number == EPERM || error_number == ENOTDIR;
}

// Over NFS a rename whose reply was lost is sent again and then finds nothing to rename.
bool IsFile(int fd, const std::filesystem::path& path) {
  struct stat open_file, named;
  return ::fstat(fd, &open_file) == 0 && ::lstat(path.c_str(), &named) == 0 && open_file.st_dev == named.st_dev &&
         open_file.st_ino == named.st_ino;
}

}  // namespace

std::string BlobKey(std::string_view tenant, const Digest& digest) {
  std::string hex = digest.Hex();
  return fmt::format("t/{}/{}/{}-{}", tenant, hex.substr(0, 2), hex, digest.bytes);
}

std::string ActionKey(std::string_view tenant, const Digest& key) {
  std::string hex = key.Hex();
  return fmt::format("ac/{}/{}/{}", tenant, hex.substr(0, 2), hex);
}

std::optional<NamedBlob> ParseBlobKey(std::string_view key) {
  if (!key.starts_with("t/")) return std::nullopt;
  std::string_view rest = key.substr(2);
  size_t tenant_end = rest.find('/'), folder_end = rest.rfind('/');
  if (tenant_end == rest.npos || folder_end == tenant_end) return std::nullopt;
  std::string name(rest.substr(folder_end + 1));
  if (size_t dash = name.find('-'); dash != name.npos) name[dash] = '/';
  absl::StatusOr<Digest> digest = Digest::Parse(name);
  std::string_view tenant = rest.substr(0, tenant_end);
  if (!digest.ok() || !StoreLayout::CheckTenant(tenant).ok() || BlobKey(tenant, *digest) != key) return std::nullopt;
  return NamedBlob{std::string(tenant), *digest};
}

absl::Status StoreLayout::CheckTenant(std::string_view tenant) {
  auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; };
  if (!tenant.empty() && tenant.size() <= 64 && std::all_of(tenant.begin(), tenant.end(), allowed))
    return absl::OkStatus();
  return InvalidArgument("tenant \"{}\": must be 1 to 64 of a-z 0-9 _ -", tenant);
}

std::filesystem::path StoreLayout::BlobPath(std::string_view tenant, const Digest& digest) const {
  return root_ / BlobKey(tenant, digest);
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
  // Used now, however long ago it was written.
  const timespec used_now[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
  if (::futimens(fd, used_now) != 0) return StoreErrno(errno, fmt::format("touch {}", file.string()));
  if (!ephemeral_ && ::fsync(fd) != 0) return StoreErrno(errno, fmt::format("fsync {}", file.string()));
  Failpoint("store.written");
  if (::rename(file.c_str(), blob.c_str()) != 0 && !(errno == ENOENT && IsFile(fd, blob)))
    return StoreErrno(errno, fmt::format("rename to {}", blob.string()));
  Failpoint("store.published");
  if (ephemeral_) return absl::OkStatus();
  UniqueFd folder(::open(blob.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid() || ::fsync(folder.get()) != 0)
    return StoreErrno(errno, fmt::format("fsync {}", blob.parent_path().string()));
  return absl::OkStatus();
}

absl::Status StoreErrno(int error_number, std::string_view what) {
  const bool no_space = error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;
  const absl::Status status = ErrnoStatus(error_number, what);
  const absl::StatusCode code = no_space               ? absl::StatusCode::kResourceExhausted
                                : IsAway(error_number) ? absl::StatusCode::kUnavailable
                                                       : status.code();
  const char* const trouble = no_space ? "the farm's store is full" : "the farm's store does not work";
  const char* const remedy =
      no_space ? "nothing was stored, its keeper has to make room" : "its keeper finds the reason in the log";
  const absl::Status told = WithTold(WithKind(absl::Status(code, status.message()), ErrorKind::kMachine),
                                     fmt::format("{}; {}", Message(ErrnoStatus(error_number, trouble)), remedy));
  // A file that is too large for the file system is that file's trouble; this process' own limits are nobody else's.
  const bool down = error_number == ENOSPC || error_number == EDQUOT || error_number == ETIMEDOUT ||
                    code == absl::StatusCode::kUnavailable;
  return down ? WithStoreDown(told) : told;
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
