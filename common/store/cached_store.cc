#include "common/store/cached_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <mutex>

#include "absl/container/flat_hash_set.h"
#include "common/base/error.h"
#include "common/base/log.h"
#include "common/metrics/metrics.h"
#include "common/store/layout.h"
#include "common/store/pump.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

const metrics::Counter kOpened("slipway_blob_cache_opens_total",
                               "Blobs of a remote store opened as local files: hit, miss (fetched into the cache) or "
                               "uncached (no room).",
                               {"outcome"});
const metrics::Counter kFetched("slipway_blob_cache_fetched_bytes_total", "Bytes fetched into the cache.");

struct CachedFile {
  fs::path path;
  uint64_t bytes;
  absl::Time used;
  bool unfinished;
};

absl::StatusOr<std::vector<CachedFile>> Scan(const fs::path& root) {
  std::vector<CachedFile> files;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(root / "t", error), end; !error && entry != end; entry.increment(error)) {
    struct stat info;
    if (::lstat(entry->path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;  // gone meanwhile
    files.push_back({entry->path(), static_cast<uint64_t>(info.st_size), absl::TimeFromTimespec(info.st_atim),
                     entry->path().parent_path().filename() == "tmp"});
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return ErrnoStatus(error.value(), fmt::format("list {}", root.string()));
  return files;
}

// Unless a process uses or writes it.
bool RemoveUnused(const fs::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  return fd.valid() && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0 && ::unlink(path.c_str()) == 0;
}

class CachedStore final : public Store {
 public:
  CachedStore(const CacheOptions& options, std::unique_ptr<Store> backing, std::unique_ptr<Store> cache,
              UniqueFd room_lock)
      : options_(options), backing_(std::move(backing)), cache_(std::move(cache)), room_lock_(std::move(room_lock)) {}

  absl::StatusOr<std::vector<Digest>> FindMissing(std::string_view tenant, std::span<const Digest> wanted) override {
    return backing_->FindMissing(tenant, wanted);
  }
  absl::StatusOr<std::unique_ptr<BlobReader>> Open(std::string_view tenant, const Digest& digest,
                                                   uint64_t offset) override {
    return backing_->Open(tenant, digest, offset);
  }
  absl::StatusOr<std::unique_ptr<BlobWriter>> Create(std::string_view tenant, const Digest& digest) override {
    return backing_->Create(tenant, digest);
  }
  absl::StatusOr<Digest> PutFile(std::string_view tenant, const fs::path& file) override {
    return backing_->PutFile(tenant, file);
  }
  absl::StatusOr<Digest> FindAction(std::string_view tenant, const Digest& key) override {
    return backing_->FindAction(tenant, key);
  }
  absl::Status PutAction(std::string_view tenant, const Digest& key, const Digest& made) override {
    return backing_->PutAction(tenant, key, made);
  }
  absl::Status Check() override { return backing_->Check(); }
  absl::Status Bind(std::string_view farm) override { return backing_->Bind(farm); }
  absl::StatusOr<std::string> Farm() override { return backing_->Farm(); }
  std::string FileSystem() override { return backing_->FileSystem(); }
  absl::StatusOr<std::unique_ptr<BlobPins>> Pin() override { return backing_->Pin(); }
  absl::StatusOr<GarbageReport> CollectGarbage(const GarbageOptions& options) override {
    return backing_->CollectGarbage(options);
  }

  absl::StatusOr<UniqueFd> OpenLocal(std::string_view tenant, const Digest& digest) override {
    RETURN_IF_ERROR(StoreLayout::CheckTenant(tenant));
    const Fetching alone(*this, BlobKey(tenant, digest));
    absl::StatusOr<UniqueFd> cached = OpenCached(tenant, digest);
    if (cached.ok()) {
      kOpened.Add({"hit"});
      return cached;
    }
    if (!absl::IsNotFound(cached.status()) && !absl::IsDataLoss(cached.status()))
      LogWarning("cache not readable", {{"root", options_.root.string()}, {"reason", Message(cached.status())}});
    ASSIGN_OR_RETURN(std::unique_ptr<BlobReader> reader, backing_->Open(tenant, digest, 0));
    absl::StatusOr<std::unique_ptr<BlobWriter>> writer = Reserve(tenant, digest);
    absl::Status kept = writer.status();
    if (kept.ok()) {
      RETURN_IF_ERROR(Pump(*reader, **writer, kept));
      if (kept.ok()) kept = (*writer)->Commit();
      writer->reset();  // and its lock
    }
    reader.reset();
    if (kept.ok()) {
      kFetched.Add({}, static_cast<double>(digest.bytes));
      cached = OpenCached(tenant, digest);
      kept = cached.status();
    }
    kOpened.Add({kept.ok() ? "miss" : "uncached"});
    if (kept.ok()) return cached;
    // The folder is a help, not a need: whatever is wrong with it, the blob is there.
    LogInfo("blob not cached", {{"digest", digest.ToString()}, {"reason", Message(kept)}});
    return backing_->OpenLocal(tenant, digest);
  }

 private:
  // Held by the one thread that fetches the blob.
  class Fetching {
   public:
    Fetching(CachedStore& store, std::string key) : store_(store), key_(std::move(key)) {
      std::unique_lock lock(store_.mutex_);
      store_.fetched_.wait(lock, [&] { return !store_.fetching_.contains(key_); });
      store_.fetching_.insert(key_);
    }
    ~Fetching() {
      {
        std::lock_guard lock(store_.mutex_);
        store_.fetching_.erase(key_);
      }
      store_.fetched_.notify_all();
    }

   private:
    CachedStore& store_;
    const std::string key_;
  };

  absl::StatusOr<UniqueFd> OpenCached(std::string_view tenant, const Digest& digest) {
    ASSIGN_OR_RETURN(UniqueFd fd, cache_->OpenLocal(tenant, digest));
    ::flock(fd.get(), LOCK_SH | LOCK_NB);  // fails while another removes the name: the bytes stay ours
    return fd;
  }

  // A writer whose file has its full size already, so that every process counts it. RESOURCE_EXHAUSTED without room.
  absl::StatusOr<std::unique_ptr<BlobWriter>> Reserve(std::string_view tenant, const Digest& digest) {
    std::lock_guard threads(room_);
    if (::flock(room_lock_.get(), LOCK_EX) != 0) return ErrnoStatus(errno, "flock");
    absl::StatusOr<std::unique_ptr<BlobWriter>> writer = ReserveLocked(tenant, digest);
    ::flock(room_lock_.get(), LOCK_UN);
    return writer;
  }

  absl::StatusOr<std::unique_ptr<BlobWriter>> ReserveLocked(std::string_view tenant, const Digest& digest) {
    if (digest.bytes > options_.max_bytes) return ResourceExhausted("larger than the cache");
    ASSIGN_OR_RETURN(std::vector<CachedFile> files, Scan(options_.root));
    // Unfinished ones first, which go only if their process died; then by use.
    std::sort(files.begin(), files.end(), [](const CachedFile& a, const CachedFile& b) {
      return std::pair(!a.unfinished, a.used) < std::pair(!b.unfinished, b.used);
    });
    uint64_t total = 0;
    for (const CachedFile& file : files) total += file.bytes;
    for (const CachedFile& file : files) {
      if (total + digest.bytes <= options_.max_bytes) break;
      if (RemoveUnused(file.path)) total -= file.bytes;
    }
    if (total + digest.bytes > options_.max_bytes) return ResourceExhausted("what is in use leaves no room");
    return cache_->Create(tenant, digest);
  }

  const CacheOptions options_;
  const std::unique_ptr<Store> backing_;
  const std::unique_ptr<Store> cache_;
  const UniqueFd room_lock_;
  std::mutex room_;  // flock is of the descriptor, so not between threads
  std::mutex mutex_;
  std::condition_variable fetched_;
  absl::flat_hash_set<std::string> fetching_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenCachedStore(const CacheOptions& options, std::unique_ptr<Store> backing) {
  // A power cut may leave anything: it is hashed again when first met.
  ASSIGN_OR_RETURN(std::unique_ptr<Store> cache,
                   OpenLocalStore({.root = options.root, .ephemeral = true, .reserve = true}));
  fs::path lock = options.root / "lock";
  UniqueFd fd(::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) return ErrnoStatus(errno, fmt::format("open {}", lock.string()));
  return std::make_unique<CachedStore>(options, std::move(backing), std::move(cache), std::move(fd));
}

}  // namespace slipway
