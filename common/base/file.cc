#include "common/base/file.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "common/base/error.h"
#include "common/base/random.h"

namespace slipway {
namespace {

absl::Status WriteAll(int fd, std::string_view bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, "write " + path.string());
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

absl::Status SyncFolder(const std::filesystem::path& folder) {
  UniqueFd fd(open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || fsync(fd.get()) != 0) return ErrnoStatus(errno, "sync folder " + folder.string());
  return absl::OkStatus();
}

}  // namespace

void UniqueFd::Reset(int fd) {
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
}

absl::StatusOr<UniqueFd> UniqueFd::Duplicate() const {
  UniqueFd copy(fcntl(fd_, F_DUPFD_CLOEXEC, 0));
  if (!copy.valid()) return ErrnoStatus(errno, "duplicate a file descriptor");
  return copy;
}

absl::StatusOr<std::shared_ptr<const MappedFile>> MappedFile::Open(const std::filesystem::path& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus(errno, "open " + path.string());
  return Map(fd.get(), path.string());
}

absl::StatusOr<std::shared_ptr<const MappedFile>> MappedFile::Map(int fd, std::string name) {
  struct stat info;
  if (fstat(fd, &info) != 0) return ErrnoStatus(errno, "stat " + name);
  if (S_ISDIR(info.st_mode)) return InvalidArgument("{} is a folder, not a file", name);
  const size_t size = static_cast<size_t>(info.st_size);
  std::span<const std::byte> bytes;
  if (size > 0) {
    void* address = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (address == MAP_FAILED) return ErrnoStatus(errno, "map " + name);
    bytes = {static_cast<const std::byte*>(address), size};
  }
  return std::shared_ptr<const MappedFile>(new MappedFile(bytes, std::move(name)));
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

absl::StatusOr<std::string> ReadFile(const std::filesystem::path& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus(errno, "open " + path.string());
  std::string bytes;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t n = read(fd.get(), buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, "read " + path.string());
    if (n == 0) return bytes;
    bytes.append(buffer, static_cast<size_t>(n));
  }
}

absl::Status WriteFileAtomically(const std::filesystem::path& path, std::string_view bytes) {
  const std::filesystem::path temporary = path.string() + ".tmp-" + RandomHex(6);
  absl::Status status = [&]() -> absl::Status {
    UniqueFd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!fd.valid()) return ErrnoStatus(errno, "create " + temporary.string());
    RETURN_IF_ERROR(WriteAll(fd.get(), bytes, path));
    if (fsync(fd.get()) != 0) return ErrnoStatus(errno, "sync " + path.string());
    if (rename(temporary.c_str(), path.c_str()) != 0) return ErrnoStatus(errno, "rename to " + path.string());
    return absl::OkStatus();
  }();
  if (!status.ok()) {
    unlink(temporary.c_str());
    return status;
  }
  return SyncFolder(path.parent_path());
}

absl::Status ReplaceFolder(const std::filesystem::path& prepared, const std::filesystem::path& destination) {
  if (renameat2(AT_FDCWD, prepared.c_str(), AT_FDCWD, destination.c_str(), RENAME_NOREPLACE) == 0) {
    return SyncFolder(destination.parent_path());
  }
  if (errno != EEXIST) return ErrnoStatus(errno, "rename to " + destination.string());
  if (renameat2(AT_FDCWD, prepared.c_str(), AT_FDCWD, destination.c_str(), RENAME_EXCHANGE) != 0) {
    return ErrnoStatus(errno, "exchange with " + destination.string());
  }
  std::error_code error;
  std::filesystem::remove_all(prepared, error);
  if (error) return ErrnoStatus(error.value(), "remove " + prepared.string());
  return SyncFolder(destination.parent_path());
}

absl::StatusOr<TemporaryFolder> TemporaryFolder::Create(const std::filesystem::path& parent, std::string_view prefix) {
  std::string pattern = (parent / std::string(prefix)).string() + "XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) return ErrnoStatus(errno, "make a temporary folder in " + parent.string());
  return TemporaryFolder(pattern);
}

std::filesystem::path TemporaryFolder::ShortParent() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  // sun_path holds 108 bytes: leave room for "/slipway-XXXXXX/coordinator.sock".
  if (runtime != nullptr && runtime[0] == '/' && std::string_view(runtime).size() < 60 && access(runtime, W_OK) == 0) {
    return runtime;
  }
  return "/tmp";
}

TemporaryFolder& TemporaryFolder::operator=(TemporaryFolder&& other) noexcept {
  std::swap(path_, other.path_);
  return *this;
}

TemporaryFolder::~TemporaryFolder() {
  if (path_.empty()) return;
  std::error_code ignored;  // a destructor has nobody to tell
  std::filesystem::remove_all(path_, ignored);
}

absl::StatusOr<UniqueFd> SealedMemory(std::string_view name, std::span<const std::byte> bytes) {
  UniqueFd fd(memfd_create(std::string(name).c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return ErrnoStatus(errno, "make anonymous memory");
  if (ftruncate(fd.get(), static_cast<off_t>(bytes.size())) != 0) return ErrnoStatus(errno, "size anonymous memory");
  RETURN_IF_ERROR(WriteAll(fd.get(), {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "anonymous memory"));
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
    return ErrnoStatus(errno, "seal anonymous memory");
  }
  if (lseek(fd.get(), 0, SEEK_SET) != 0) return ErrnoStatus(errno, "rewind anonymous memory");
  return fd;
}

bool IsContainedPath(std::string_view relative) {
  if (relative.empty() || relative.find('\0') != std::string_view::npos) return false;
  const std::filesystem::path path{std::string(relative)};
  if (path.is_absolute()) return false;
  for (const auto& part : path) {
    if (part == "..") return false;
  }
  return true;
}

absl::Status CopyToNewFile(int fd, const std::filesystem::path& destination) {
  UniqueFd out(open(destination.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!out.valid()) return ErrnoStatus(errno, "create " + destination.string());
  absl::Status status = [&]() -> absl::Status {
    if (ioctl(out.get(), FICLONE, fd) == 0) return absl::OkStatus();
    off_t offset = 0;
    std::string buffer(1 << 18, '\0');
    for (;;) {
      const ssize_t n = pread(fd, buffer.data(), buffer.size(), offset);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return ErrnoStatus(errno, "read for " + destination.string());
      if (n == 0) return absl::OkStatus();
      RETURN_IF_ERROR(WriteAll(out.get(), std::string_view(buffer).substr(0, static_cast<size_t>(n)), destination));
      offset += n;
    }
  }();
  if (!status.ok()) unlink(destination.c_str());
  return status;
}

}  // namespace slipway
