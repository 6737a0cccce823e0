#include <algorithm>

#include "common/base/error.h"
#include "common/store/store.h"

namespace slipway {

absl::StatusOr<std::string> ReadBlob(Store& store, std::string_view tenant, const Digest& digest) {
  static constexpr size_t kChunk = 1 << 20;
  ASSIGN_OR_RETURN(std::unique_ptr<BlobReader> reader, store.Open(tenant, digest, 0));
  std::string bytes;
  while (true) {
    // Grown as bytes arrive: a digest may claim any size.
    size_t start = bytes.size();
    bytes.resize(start + std::clamp<uint64_t>(digest.bytes - std::min<uint64_t>(start, digest.bytes), 1, kChunk));
    ASSIGN_OR_RETURN(size_t read, reader->Read(std::as_writable_bytes(std::span(bytes).subspan(start))));
    bytes.resize(start + read);
    if (read == 0) return bytes;
  }
}

absl::StatusOr<Digest> WriteBlob(Store& store, std::string_view tenant, std::string_view bytes) {
  Digest digest = Digest::Of(bytes);
  ASSIGN_OR_RETURN(std::unique_ptr<BlobWriter> writer, store.Create(tenant, digest));
  RETURN_IF_ERROR(writer->Write(std::as_bytes(std::span(bytes))));
  RETURN_IF_ERROR(writer->Commit());
  return digest;
}

}  // namespace slipway
