// A minimal zip reader of a mapped file, as torch.save and numpy.savez write them. Zip64 included.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace slipway {

struct ZipEntry {
  uint64_t header_offset = 0;
  uint64_t stored_bytes = 0;
  uint64_t bytes = 0;
  uint32_t crc32 = 0;
  uint16_t method = 0;  // 0: stored, 8: deflated
  bool encrypted = false;
};

class ZipReader {
 public:
  // DATA_LOSS when the central directory is missing or damaged, or its entries share bytes; INVALID_ARGUMENT above
  // 100,000 entries. `bytes` must outlive the reader.
  static absl::StatusOr<ZipReader> Open(std::span<const std::byte> bytes);
  const std::map<std::string, ZipEntry, std::less<>>& entries() const { return entries_; }
  // The entry's bytes, a view. NOT_FOUND; UNIMPLEMENTED if compressed; DATA_LOSS if they lie outside the file.
  absl::StatusOr<std::span<const std::byte>> Read(std::string_view name) const;
  // The bytes as they stand in the file, of a stored or deflated entry. UNIMPLEMENTED: encrypted, or of another method.
  absl::StatusOr<std::span<const std::byte>> ReadRaw(std::string_view name) const;
  // As Read, with its checksum compared.
  absl::StatusOr<std::span<const std::byte>> ReadChecked(std::string_view name) const;

 private:
  std::span<const std::byte> bytes_;
  std::map<std::string, ZipEntry, std::less<>> entries_;
};

}  // namespace slipway
