#include "common/store/pump.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/error.h"
#include "common/base/random.h"
#include "common/store/layout.h"

namespace slipway {
namespace {

constexpr size_t kChunk = 1 << 20;

template <typename Sink>
absl::Status PumpInto(BlobReader& reader, const Sink& sink) {
  std::vector<std::byte> buffer(kChunk);
  while (true) {
    ASSIGN_OR_RETURN(size_t count, reader.Read(buffer));
    if (count == 0) return absl::OkStatus();
    RETURN_IF_ERROR(sink(std::span(buffer).first(count)));
  }
}

}  // namespace

absl::Status Pump(BlobReader& reader, BlobWriter& writer, absl::Status& written) {
  written = absl::OkStatus();
  const absl::Status status =
      PumpInto(reader, [&](std::span<const std::byte> data) { return written = writer.Write(data); });
  return written.ok() ? status : absl::OkStatus();
}

absl::Status PumpFile(int fd, BlobWriter& writer) {
  std::vector<std::byte> buffer(kChunk);
  for (off_t position = 0;;) {
    ssize_t count = ::pread(fd, buffer.data(), buffer.size(), position);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoStatus(errno, "read");
    if (count == 0) return absl::OkStatus();
    RETURN_IF_ERROR(writer.Write(std::span(buffer).first(count)));
    position += count;
  }
}

absl::StatusOr<UniqueFd> PumpToUnlinkedFile(BlobReader& reader, const std::filesystem::path& folder) {
  ScopedFile name(folder / ("slipway-" + RandomHex(8)));
  UniqueFd out(::open(name.path().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!out.valid()) return ErrnoStatus(errno, fmt::format("open {}", name.path().string()));
  UniqueFd in(::open(name.path().c_str(), O_RDONLY | O_CLOEXEC));  // a reader's alone: nobody can change the bytes
  if (!in.valid()) return ErrnoStatus(errno, fmt::format("open {}", name.path().string()));
  RETURN_IF_ERROR(PumpInto(reader, [&](std::span<const std::byte> data) -> absl::Status {
    while (!data.empty()) {
      ssize_t written = ::write(out.get(), data.data(), data.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return ErrnoStatus(errno, fmt::format("write {}", name.path().string()));
      data = data.subspan(written);
    }
    return absl::OkStatus();
  }));
  return in;
}

}  // namespace slipway
