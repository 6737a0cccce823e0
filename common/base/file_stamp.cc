#include "common/base/file_stamp.h"

#include <sys/stat.h>

#include <cerrno>

#include "common/base/error.h"

namespace slipway {

absl::StatusOr<FileStamp> StampOf(const std::filesystem::path& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return ErrnoStatus(errno, path.string());
  const auto nanoseconds = [](const timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; };
  return FileStamp{.device = info.st_dev,
                   .inode = info.st_ino,
                   .bytes = static_cast<uint64_t>(info.st_size),
                   .modified_ns = nanoseconds(info.st_mtim),
                   .changed_ns = nanoseconds(info.st_ctim),
                   .mode = info.st_mode};
}

}  // namespace slipway
