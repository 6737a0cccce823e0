#include "common/store/local_garbage.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "common/store/down.h"
#include "common/store/garbage.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

class Pins final : public BlobPins {
 public:
  Pins(fs::path path, UniqueFd fd) : file_(std::move(path)), fd_(std::move(fd)) {}
  absl::Status Add(std::string_view tenant, std::span<const Digest> digests) override {
    RETURN_IF_ERROR(StoreLayout::CheckTenant(tenant));
    std::string lines = PinLines(tenant, digests);
    std::string_view rest = lines;
    std::lock_guard lock(mutex_);
    while (!rest.empty()) {
      ssize_t written = ::write(fd_.get(), rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return StoreErrno(errno, fmt::format("write {}", file_.path().string()));
      rest.remove_prefix(written);
    }
    return absl::OkStatus();
  }
  absl::Duration lasts() const override { return absl::InfiniteDuration(); }  // as does the flock

 private:
  ScopedFile file_;
  UniqueFd fd_;
  std::mutex mutex_;
};

// The names in a folder; none if it is absent.
absl::StatusOr<std::vector<fs::path>> Entries(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> entries;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    entries.push_back(entry->path());
  if (error && error != std::errc::no_such_file_or_directory && error != std::errc::not_a_directory)
    return StoreErrno(error.value(), fmt::format("list {}", folder.string()));
  return entries;
}

// Of a folder's folders' folders: those of blobs and of actions. `visit` gets path and stat; its first error ends it.
template <typename Visit>
absl::Status ForEachFile(const fs::path& root, const Visit& visit) {
  ASSIGN_OR_RETURN(std::vector<fs::path> tenants, Entries(root));
  for (const fs::path& tenant : tenants) {
    ASSIGN_OR_RETURN(std::vector<fs::path> folders, Entries(tenant));
    for (const fs::path& folder : folders) {
      ASSIGN_OR_RETURN(std::vector<fs::path> files, Entries(folder));
      for (const fs::path& file : files) {
        struct stat info;
        if (::lstat(file.c_str(), &info) == 0 && S_ISREG(info.st_mode)) RETURN_IF_ERROR(visit(file, info));
      }
    }
  }
  return absl::OkStatus();
}

absl::Time LastUse(const struct stat& info) {
  return std::max(absl::TimeFromTimespec(info.st_atim), absl::TimeFromTimespec(info.st_mtim));
}

absl::Status ReadPins(const StoreLayout& layout, PinnedBlobs& pins) {
  ASSIGN_OR_RETURN(std::vector<fs::path> files, Entries(layout.root() / "pins"));
  for (const fs::path& file : files) {
    UniqueFd fd(::open(file.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));  // NFS locks only what may be written
    if (!fd.valid() && errno == ENOENT) continue;
    if (!fd.valid()) return StoreErrno(errno, fmt::format("open {}", file.string()));
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) {
      ::unlink(file.c_str());  // its process has ended
      continue;
    }
    ASSIGN_OR_RETURN(const std::string lines, ReadFile("/proc/self/fd/" + std::to_string(fd.get())));
    pins.AddLines(lines);
  }
  return absl::OkStatus();
}

// Out of sight first, so that a use in between is either seen here, and the blob comes back, or finds it absent.
absl::Status Remove(const StoreLayout& layout, const NamedBlob& blob, const GarbageOptions& options,
                    GarbageReport& report) {
  fs::path path = layout.BlobPath(blob.tenant, blob.digest);
  ASSIGN_OR_RETURN(fs::path aside, layout.TemporaryPath(blob.tenant));
  if (::rename(path.c_str(), aside.c_str()) != 0)
    return errno == ENOENT ? absl::OkStatus() : StoreErrno(errno, fmt::format("rename {}", path.string()));
  struct stat info;
  if (::lstat(aside.c_str(), &info) != 0) return StoreErrno(errno, fmt::format("stat {}", aside.string()));
  if (LastUse(info) > options.now - options.untouched) {
    ++report.young;
    if (::rename(aside.c_str(), path.c_str()) != 0)
      return StoreErrno(errno, fmt::format("rename to {}", path.string()));
    return absl::OkStatus();
  }
  if (::unlink(aside.c_str()) != 0) return StoreErrno(errno, fmt::format("unlink {}", aside.string()));
  ++report.removed;
  report.removed_bytes += info.st_size;
  return absl::OkStatus();
}

}  // namespace

absl::Status BindLocalFarm(const StoreLayout& layout, std::string_view farm) {
  RETURN_IF_ERROR(CheckFarmName(farm));
  return WriteFileAtomically(layout.root() / "farm", farm);
}

absl::StatusOr<std::string> LocalFarm(const StoreLayout& layout) {
  absl::StatusOr<std::string> bound = ReadFile(layout.root() / "farm");
  if (absl::IsNotFound(bound.status())) return "";
  return bound.ok() ? bound : WithStoreDown(bound.status());
}

absl::StatusOr<std::unique_ptr<BlobPins>> MakeLocalPins(const StoreLayout& layout) {
  fs::path folder = layout.root() / "pins";
  RETURN_IF_ERROR(MakeFolders(folder));
  while (true) {
    fs::path path = folder / RandomHex(16);
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (!fd.valid()) return StoreErrno(errno, fmt::format("open {}", path.string()));
    struct stat info;
    // A collection may take the file for a dead process's before it is locked: then another.
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) continue;
      return StoreErrno(errno, fmt::format("flock {}", path.string()));
    }
    if (::fstat(fd.get(), &info) == 0 && info.st_nlink == 1 && fs::exists(path))
      return std::make_unique<Pins>(std::move(path), std::move(fd));
  }
}

absl::StatusOr<uint64_t> SweepTemporaryFiles(const StoreLayout& layout, absl::Time begun_before) {
  uint64_t swept = 0;
  ASSIGN_OR_RETURN(std::vector<fs::path> tenants, Entries(layout.root() / "t"));
  for (const fs::path& tenant : tenants) {
    ASSIGN_OR_RETURN(std::vector<fs::path> files, Entries(tenant / "tmp"));
    for (const fs::path& file : files) {
      UniqueFd fd(::open(file.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
      if (!fd.valid()) fd.Reset(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));  // all but published
      struct stat info;
      if (!fd.valid() || ::fstat(fd.get(), &info) != 0) continue;
      if (absl::TimeFromTimespec(info.st_mtim) >= begun_before || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) continue;
      if (::unlink(file.c_str()) == 0) ++swept;
    }
  }
  return swept;
}

absl::StatusOr<GarbageReport> CollectLocalGarbage(const StoreLayout& layout, const GarbageOptions& options) {
  ASSIGN_OR_RETURN(const std::string bound, LocalFarm(layout));
  RETURN_IF_ERROR(CheckFarm(bound, options.farm));
  GarbageReport report;
  PinnedBlobs pins;
  RETURN_IF_ERROR(ReadPins(layout, pins));
  RETURN_IF_ERROR(ForEachFile(layout.root() / "t", [&](const fs::path& file, const struct stat& info) -> absl::Status {
    std::optional<NamedBlob> blob = ParseBlobKey(file.lexically_relative(layout.root()).generic_string());
    if (!blob) return absl::OkStatus();  // being written, or not ours
    ASSIGN_OR_RETURN(bool garbage, IsGarbage(options, pins, blob->tenant, blob->digest, LastUse(info), report));
    return garbage ? Remove(layout, *blob, options, report) : absl::OkStatus();
  }));
  RETURN_IF_ERROR(ForEachFile(layout.root() / "ac", [&](const fs::path& file, const struct stat& info) -> absl::Status {
    if (LastUse(info) <= options.now - options.untouched && ::unlink(file.c_str()) == 0) ++report.actions;
    return absl::OkStatus();
  }));
  ASSIGN_OR_RETURN(report.abandoned, SweepTemporaryFiles(layout, options.now - options.untouched));
  return report;
}

}  // namespace slipway
