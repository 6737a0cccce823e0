#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <fstream>
#include <mutex>

#include "absl/container/flat_hash_set.h"
#include "absl/time/clock.h"
#include "common/base/error.h"
#include "common/base/log.h"
#include "common/store/down.h"
#include "common/store/layout.h"
#include "common/store/local_garbage.h"
#include "common/store/local_reader.h"
#include "common/store/local_writer.h"
#include "common/store/pump.h"
#include "common/store/store.h"
#include "common/store/verified.h"

namespace slipway {
namespace {

constexpr size_t kRememberedFiles = 65536;
constexpr int kMostHashings = 3;                        // of a file that changes meanwhile
constexpr absl::Duration kAbandoned = absl::Hours(24);  // a temporary file this old has no writer left on any machine
// The time of reading says when a blob was used last; that of modification stays, as its verification hangs on it.
constexpr timespec kUsedNow[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};

bool IsWhole(const struct stat& info, const Digest& digest) {
  return S_ISREG(info.st_mode) && std::cmp_equal(info.st_size, digest.bytes);
}

// Whether renaming `info`'s only name away leaves nobody able to change the blob by another one.
bool MayBeMoved(const struct stat& info) { return S_ISREG(info.st_mode) && info.st_nlink == 1; }

// Of a folder, or of its nearest parent that is there.
std::string FileSystemOf(std::filesystem::path folder) {
  struct stat info {};
  while (::stat(folder.c_str(), &info) != 0 && folder != folder.parent_path()) folder = folder.parent_path();
  struct statfs kind {};
  ::statfs(folder.c_str(), &kind);
  return fmt::format("{:x}:{:x}:{:x}", kind.f_type, std::bit_cast<uint64_t>(kind.f_fsid), info.st_dev);
}

class LocalStore final : public Store {
 public:
  explicit LocalStore(const LocalStoreOptions& options)
      : layout_(options.root, options.ephemeral), reserve_(options.reserve) {}

  absl::StatusOr<std::vector<Digest>> FindMissing(std::string_view tenant, std::span<const Digest> wanted) override {
    RETURN_IF_ERROR(StoreLayout::CheckTenant(tenant));
    std::vector<Digest> missing;
    absl::flat_hash_set<Digest> seen;
    for (const Digest& digest : wanted) {
      if (!seen.insert(digest).second) continue;
      struct stat info;
      std::filesystem::path path = layout_.BlobPath(tenant, digest);
      // Touched first: what is seen afterwards is young, so a collection leaves it.
      if (::utimensat(AT_FDCWD, path.c_str(), kUsedNow, AT_SYMLINK_NOFOLLOW) != 0 ||
          ::lstat(path.c_str(), &info) != 0) {
        if (errno != ENOENT) return StoreErrno(errno, fmt::format("touch {}", path.string()));
        missing.push_back(digest);
      } else if (!IsWhole(info, digest)) {
        missing.push_back(digest);
      }
    }
    return missing;
  }

  absl::StatusOr<std::unique_ptr<BlobReader>> Open(std::string_view tenant, const Digest& digest,
                                                   uint64_t offset) override {
    if (offset > digest.bytes)
      return InvalidArgument("offset {} is beyond the end of blob {}", offset, digest.ToString());
    // A stream that skips the start cannot be hashed on the way: the whole file is verified first.
    absl::StatusOr<UniqueFd> fd = offset == 0 ? OpenUnverified(tenant, digest) : OpenLocal(tenant, digest);
    RETURN_IF_ERROR(fd.status());
    return MakeLocalReader(*std::move(fd), digest, offset,
                           [this, tenant = std::string(tenant), digest] { Drop(tenant, digest); });
  }

  absl::StatusOr<std::unique_ptr<BlobWriter>> Create(std::string_view tenant, const Digest& digest) override {
    RETURN_IF_ERROR(StoreLayout::CheckTenant(tenant));
    return CreateLocalWriter(layout_, verified_, std::string(tenant), digest, reserve_);
  }

  absl::StatusOr<UniqueFd> OpenLocal(std::string_view tenant, const Digest& digest) override {
    ASSIGN_OR_RETURN(UniqueFd fd, OpenUnverified(tenant, digest));
    ASSIGN_OR_RETURN(FileIdentity identity, FileIdentity::Of(fd.get()));
    for (int hashings = 0; hashings < kMostHashings; ++hashings) {
      if (verified_.Contains(identity, digest)) return fd;
      ASSIGN_OR_RETURN(const Digest found, DigestOfFile(fd.get()));
      if (found != digest) {
        Drop(tenant, digest);
        return DataLoss("blob {}: the stored bytes are damaged", digest.ToString());
      }
      // A write to what had been hashed already shows by the time of modification alone.
      const FileIdentity before = identity;
      ASSIGN_OR_RETURN(identity, FileIdentity::Of(fd.get()));
      if (identity != before) continue;
      verified_.Add(identity, digest);
      return fd;
    }
    return Unavailable("blob {}: somebody writes to the stored file", digest.ToString());
  }

  absl::StatusOr<Digest> PutFile(std::string_view tenant, const std::filesystem::path& file) override {
    RETURN_IF_ERROR(StoreLayout::CheckTenant(tenant));
    UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return ErrnoStatus(errno, fmt::format("open {}", file.string()));
    ASSIGN_OR_RETURN(Digest digest, DigestOfFile(fd.get()));
    struct stat info;
    if (::lstat(file.c_str(), &info) != 0) return ErrnoStatus(errno, fmt::format("stat {}", file.string()));
    if (MayBeMoved(info)) {
      absl::Status moved = layout_.Publish(fd.get(), file, tenant, digest);
      if (moved.ok()) {
        verified_.Add(FileIdentity::Of(info), digest);
        return digest;
      }
      if (moved.code() == absl::StatusCode::kResourceExhausted) return moved;
    }
    // Another file system, or a file that others hold too.
    ASSIGN_OR_RETURN(const std::unique_ptr<BlobWriter> copy, Create(tenant, digest));
    RETURN_IF_ERROR(PumpFile(fd.get(), *copy));
    RETURN_IF_ERROR(copy->Commit());
    return digest;
  }

  absl::StatusOr<Digest> FindAction(std::string_view tenant, const Digest& key) override {
    RETURN_IF_ERROR(StoreLayout::CheckTenant(tenant));
    std::filesystem::path path = layout_.root() / ActionKey(tenant, key);
    ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
    ::utimensat(AT_FDCWD, path.c_str(), kUsedNow, AT_SYMLINK_NOFOLLOW);
    return Digest::Parse(text);
  }
  absl::Status PutAction(std::string_view tenant, const Digest& key, const Digest& made) override {
    RETURN_IF_ERROR(StoreLayout::CheckTenant(tenant));
    std::filesystem::path path = layout_.root() / ActionKey(tenant, key);
    RETURN_IF_ERROR(MakeFolders(path.parent_path()));
    ASSIGN_OR_RETURN(std::filesystem::path written, layout_.TemporaryPath(tenant));
    ScopedFile unfinished(written);
    // Not synced: what a power cut leaves of it is no digest, and so a miss.
    std::ofstream file(written, std::ios::binary);
    if (!(file << made.ToString()).flush()) return StoreErrno(errno, fmt::format("write {}", written.string()));
    if (::rename(written.c_str(), path.c_str()) != 0)
      return StoreErrno(errno, fmt::format("rename to {}", path.string()));
    unfinished.Release();
    return absl::OkStatus();
  }

  absl::Status Bind(std::string_view farm) override { return BindLocalFarm(layout_, farm); }
  absl::StatusOr<std::string> Farm() override {
    const std::string file_system = FileSystem();
    ASSIGN_OR_RETURN(std::string farm, LocalFarm(layout_));
    std::lock_guard lock(farm_mutex_);
    if (!farm.empty() && file_system == FileSystem()) {
      farm_ = farm;
      file_system_ = file_system;
    }
    if (!farm.empty() || farm_.empty()) return farm;
    if (file_system != file_system_)
      return MountMissing(
          fmt::format("the store {} is nobody's any more: its mount is missing", layout_.root().string()));
    LogWarning("somebody emptied the store", {{"folder", layout_.root().string()}});
    RETURN_IF_ERROR(MakeFolders(layout_.root()));
    RETURN_IF_ERROR(BindLocalFarm(layout_, farm_));
    return farm_;
  }
  std::string FileSystem() override { return FileSystemOf(layout_.root()); }
  absl::StatusOr<std::unique_ptr<BlobPins>> Pin() override {
    RETURN_IF_ERROR(Farm().status());
    return MakeLocalPins(layout_);
  }
  absl::StatusOr<GarbageReport> CollectGarbage(const GarbageOptions& options) override {
    RETURN_IF_ERROR(Farm().status());
    return CollectLocalGarbage(layout_, options);
  }

  const StoreLayout& layout() const { return layout_; }

 private:
  absl::StatusOr<UniqueFd> OpenUnverified(std::string_view tenant, const Digest& digest) {
    RETURN_IF_ERROR(StoreLayout::CheckTenant(tenant));
    std::filesystem::path path = layout_.BlobPath(tenant, digest);
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd.valid() && errno == ENOENT) return NotFound("blob {} is not stored", digest.ToString());
    if (!fd.valid()) return StoreErrno(errno, fmt::format("open {}", path.string()));
    if (::futimens(fd.get(), kUsedNow) != 0) return StoreErrno(errno, fmt::format("touch {}", path.string()));
    return fd;
  }

  void Drop(std::string_view tenant, const Digest& digest) {
    LogWarning("damaged blob dropped", {{"tenant", std::string(tenant)}, {"digest", digest.ToString()}});
    ::unlink(layout_.BlobPath(tenant, digest).c_str());
  }

  std::mutex farm_mutex_;
  std::string farm_;         // whose it was when that was last read; empty: nobody's
  std::string file_system_;  // of the root then
  StoreLayout layout_;
  const bool reserve_;
  VerifiedFiles verified_{kRememberedFiles};
};

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenLocalStore(const LocalStoreOptions& options) {
  if (options.root.empty()) return InvalidArgument("the store's folder is not named");
  RETURN_IF_ERROR(MakeFolders(options.root));
  std::error_code ignored;
  if (!std::filesystem::is_directory(options.root, ignored))
    return InvalidArgument("the store's folder {} is no folder", options.root.string());
  auto store = std::make_unique<LocalStore>(options);
  // What killed processes left behind.
  RETURN_IF_ERROR(SweepTemporaryFiles(store->layout(), absl::Now() - kAbandoned).status());
  return store;
}

}  // namespace slipway
