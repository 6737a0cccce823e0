#include "common/store/verified.h"

#include <cerrno>

#include "common/base/error.h"

namespace slipway {

FileIdentity FileIdentity::Of(const struct stat& file) {
  return {file.st_dev, file.st_ino, static_cast<uint64_t>(file.st_size),
          file.st_mtim.tv_sec * int64_t{1'000'000'000} + file.st_mtim.tv_nsec};
}

absl::StatusOr<FileIdentity> FileIdentity::Of(int fd) {
  struct stat info;
  if (::fstat(fd, &info) != 0) return ErrnoStatus(errno, "fstat");
  return Of(info);
}

bool VerifiedFiles::Contains(const FileIdentity& file, const Digest& digest) const {
  std::lock_guard lock(mutex_);
  auto found = digests_.find(file);
  return found != digests_.end() && found->second == digest;
}

void VerifiedFiles::Add(const FileIdentity& file, const Digest& digest) {
  std::lock_guard lock(mutex_);
  auto [place, added] = digests_.insert_or_assign(file, digest);
  if (!added) return;
  order_.push_back(file);
  if (order_.size() <= capacity_) return;
  digests_.erase(order_.front());
  order_.pop_front();
}

}  // namespace slipway
