#include "worker/daemon/scratch.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/random.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "slipway-worker-";
constexpr size_t kErrorBytes = 64 << 10;

// A slot may be making a folder while its worker leaves: under another name nothing can be added to what is removed.
void RemoveFolder(const fs::path& folder) {
  std::error_code ignored;
  const fs::path removed = folder.string() + ".removed";
  fs::rename(folder, removed, ignored);
  fs::remove_all(removed, ignored);
}

void RemoveLeftoversIn(const fs::path& parent) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(parent, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPrefix) || entry.path().extension() != ".lock") continue;
    UniqueFd lock(open(entry.path().c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (!lock.valid() || flock(lock.get(), LOCK_EX | LOCK_NB) != 0) continue;  // its worker lives
    const fs::path folder = parent / entry.path().stem();
    RemoveFolder(folder);
    unlink(entry.path().c_str());
    LogInfo("removed a dead worker's scratch folder", {{"folder", folder.string()}});
  }
}

}  // namespace

absl::StatusOr<WorkerScratch> WorkerScratch::Create(const fs::path& parent) {
  std::error_code error;
  fs::create_directories(parent, error);
  if (error) return ErrnoStatus(error.value(), fmt::format("make the scratch folder {}", parent.string()));
  RemoveLeftoversIn(parent);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const std::string name = fmt::format("{}{}", kPrefix, RandomHex(8));
    const fs::path lock_path = parent / (name + ".lock");
    UniqueFd lock(open(lock_path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!lock.valid()) return ErrnoStatus(errno, fmt::format("make {}", lock_path.string()));
    struct stat info {};
    // Another worker's clean-up may have come between: it then took the lock or unlinked the file.
    if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0 || fstat(lock.get(), &info) != 0 || info.st_nlink == 0) continue;
    if (mkdir((parent / name).c_str(), 0700) != 0)
      return ErrnoStatus(errno, fmt::format("make {}", (parent / name).string()));
    return WorkerScratch(parent / name, lock_path, std::move(lock));
  }
  return Unavailable("cannot lock a scratch folder in {}", parent.string());
}

WorkerScratch::WorkerScratch(WorkerScratch&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      lock_path_(std::exchange(other.lock_path_, {})),
      lock_(std::move(other.lock_)) {}

WorkerScratch::~WorkerScratch() { Remove(); }

absl::StatusOr<fs::path> WorkerScratch::NewFolder(std::string_view prefix) const {
  const fs::path folder = path_ / fmt::format("{}-{}", prefix, RandomHex(8));
  if (mkdir(folder.c_str(), 0700) == 0) return folder;
  if (errno == ENOENT) {
    // Somebody tidied up, and the worker may live for months.
    std::lock_guard lock(mutex_);
    std::error_code error;
    if (lock_.valid()) fs::create_directories(path_.parent_path(), error);
    if (lock_.valid() && !error && (mkdir(path_.c_str(), 0700) == 0 || errno == EEXIST) &&
        mkdir(folder.c_str(), 0700) == 0)
      return folder;
  }
  return ErrnoStatus(errno, fmt::format("make {}", folder.string()));
}

void WorkerScratch::RemoveLeftovers() const { RemoveLeftoversIn(path_.parent_path()); }

void WorkerScratch::Remove() {
  std::lock_guard lock(mutex_);
  if (!lock_.valid()) return;
  RemoveFolder(path_);
  unlink(lock_path_.c_str());
  lock_.Reset();
}

absl::Status EmptyFolder(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    fs::remove_all(entry->path(), error);
  }
  if (error) return ErrnoStatus(error.value(), fmt::format("empty {}", folder.string()));
  return absl::OkStatus();
}

absl::StatusOr<Errors> Errors::Create() {
  UniqueFd memory(memfd_create("stderr", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory.valid() || ftruncate(memory.get(), kErrorBytes) != 0 ||
      fcntl(memory.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
    return ErrnoStatus(errno, "make memory for a process's stderr");
  }
  return Errors(std::move(memory));
}

std::string Errors::LastLine() const {
  std::string text(kErrorBytes, '\0');
  const ssize_t got = pread(memory_.get(), text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  if (const size_t end = text.find('\0'); end != std::string::npos) text.resize(end);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  if (const size_t line = text.rfind('\n'); line != std::string::npos) text.erase(0, line + 1);
  if (text.size() > 300) text.resize(300);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = ' ';
  }
  return text;
}

void Errors::Clear() {
  const off_t used = lseek(memory_.get(), 0, SEEK_CUR);  // shared with the process that writes
  if (used <= 0) return;
  const std::string zeros(std::min<size_t>(static_cast<size_t>(used), kErrorBytes), '\0');
  [[maybe_unused]] const ssize_t written = pwrite(memory_.get(), zeros.data(), zeros.size(), 0);
  lseek(memory_.get(), 0, SEEK_SET);
}

}  // namespace slipway
