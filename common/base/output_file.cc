#include "common/base/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/error.h"

namespace slipway {
namespace {
constexpr size_t kBufferBytes = size_t{1} << 18;
}

absl::StatusOr<OutputFile> OutputFile::Create(const std::filesystem::path& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoStatus(errno, "cannot create " + path.string());
  return OutputFile(UniqueFd(fd), path.string());
}

absl::Status OutputFile::WriteOut(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, "cannot write " + name_);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status OutputFile::Write(std::span<const std::byte> bytes) {
  size_ += bytes.size();
  if (buffer_.size() + bytes.size() > kBufferBytes) {
    RETURN_IF_ERROR(WriteOut(buffer_));
    buffer_.clear();
  }
  if (bytes.size() > kBufferBytes) return WriteOut(bytes);
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  return absl::OkStatus();
}

absl::Status OutputFile::Close() {
  RETURN_IF_ERROR(WriteOut(buffer_));
  buffer_.clear();
  if (close(fd_.Release()) != 0) return ErrnoStatus(errno, "cannot write " + name_);
  return absl::OkStatus();
}

}  // namespace slipway
