#include "common/store/shared_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "common/base/error.h"
#include "common/store/layout.h"

namespace slipway {
namespace {

constexpr size_t kPieceBytes = 1 << 18;  // stays in the processor's cache between reading, hashing and writing

absl::Status WriteAll(int fd, std::span<const std::byte> data, const std::filesystem::path& path) {
  while (!data.empty()) {
    const ssize_t written = ::write(fd, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return StoreErrno(errno, fmt::format("write {}", path.string()));
    data = data.subspan(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<SharedStore>> SharedStore::Open(const LocalStoreOptions& options,
                                                               std::string_view tenant) {
  RETURN_IF_ERROR(StoreLayout::CheckTenant(tenant));
  ASSIGN_OR_RETURN(std::unique_ptr<Store> store, OpenLocalStore(options));
  return std::unique_ptr<SharedStore>(new SharedStore(options, tenant, std::move(store)));
}

absl::StatusOr<Digest> SharedStore::Add(int file) const {
  const StoreLayout layout(options_.root, options_.ephemeral);
  ASSIGN_OR_RETURN(const std::filesystem::path path, layout.TemporaryPath(tenant_));
  const UniqueFd copy(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!copy.valid()) return StoreErrno(errno, fmt::format("create {}", path.string()));
  ScopedFile unfinished(path);
  Hasher hasher;
  std::vector<std::byte> piece(kPieceBytes);
  for (off_t offset = 0;;) {
    const ssize_t read = ::pread(file, piece.data(), piece.size(), offset);
    if (read < 0 && errno == EINTR) continue;
    if (read < 0) return ErrnoStatus(errno, "read");
    if (read == 0) break;
    const std::span<const std::byte> data(piece.data(), static_cast<size_t>(read));
    hasher.Update(data);
    RETURN_IF_ERROR(WriteAll(copy.get(), data, path));
    offset += read;
  }
  const Digest digest = hasher.Finish();
  RETURN_IF_ERROR(layout.Publish(copy.get(), path, tenant_, digest));
  unfinished.Release();
  return digest;
}

absl::StatusOr<std::unique_ptr<BlobReader>> SharedStore::Read(const Digest& digest) const {
  return store_->Open(tenant_, digest, 0);
}

}  // namespace slipway
