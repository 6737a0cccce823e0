#include "convert/import/checkpoint/zip.h"

#include <array>
#include <cstring>

#include "common/base/error.h"

namespace slipway {
namespace {

// Records and their fields: APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12, 4.3.14 to 4.3.16, 4.5.3.
constexpr uint32_t kLocalHeader = 0x04034b50, kCentralHeader = 0x02014b50, kEndRecord = 0x06054b50,
                   kEnd64Record = 0x06064b50, kEnd64Locator = 0x07064b50;
constexpr uint64_t kMaxEntries = 100'000;
constexpr size_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22, kEnd64Bytes = 56, kLocatorBytes = 20;
constexpr uint16_t kZip64Extra = 1;
constexpr uint16_t kStored = 0, kDeflated = 8;
constexpr uint32_t kIn64 = 0xffffffff;

template <typename T>
T Field(std::span<const std::byte> bytes, uint64_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

bool Holds(std::span<const std::byte> bytes, uint64_t offset, uint64_t count) {
  return offset <= bytes.size() && count <= bytes.size() - offset;
}

struct Directory {
  uint64_t offset, bytes, entries;
};

absl::StatusOr<Directory> FindDirectory(std::span<const std::byte> bytes) {
  constexpr size_t kMaxComment = 0xffff;
  const uint64_t lowest = bytes.size() > kEndBytes + kMaxComment ? bytes.size() - kEndBytes - kMaxComment : 0;
  for (uint64_t at = bytes.size() < kEndBytes ? 0 : bytes.size() - kEndBytes + 1; at-- > lowest;) {
    if (Field<uint32_t>(bytes, at) != kEndRecord) continue;
    Directory directory{Field<uint32_t>(bytes, at + 16), Field<uint32_t>(bytes, at + 12),
                        Field<uint16_t>(bytes, at + 10)};
    if (at >= kLocatorBytes && Field<uint32_t>(bytes, at - kLocatorBytes) == kEnd64Locator) {
      const auto end64 = Field<uint64_t>(bytes, at - kLocatorBytes + 8);
      if (!Holds(bytes, end64, kEnd64Bytes) || Field<uint32_t>(bytes, end64) != kEnd64Record)
        return DataLoss("damaged zip archive: its zip64 end record is not at offset {}", end64);
      directory = {Field<uint64_t>(bytes, end64 + 48), Field<uint64_t>(bytes, end64 + 40),
                   Field<uint64_t>(bytes, end64 + 32)};
    }
    if (!Holds(bytes, directory.offset, directory.bytes)) {
      return DataLoss(
          "damaged zip archive: its directory of {} bytes at offset {} is not within the {} bytes of the file",
          directory.bytes, directory.offset, bytes.size());
    }
    return directory;
  }
  return DataLoss("truncated zip archive: no end record in its {} bytes", bytes.size());
}

uint32_t Crc32(std::span<const std::byte> bytes) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> made{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) ? 0xedb88320u : 0u);
      made[i] = value;
    }
    return made;
  }();
  uint32_t crc = ~uint32_t{0};
  for (const std::byte b : bytes) crc = (crc >> 8) ^ table[(crc ^ static_cast<uint32_t>(b)) & 0xff];
  return ~crc;
}

}  // namespace

absl::StatusOr<ZipReader> ZipReader::Open(std::span<const std::byte> bytes) {
  ZipReader reader;
  reader.bytes_ = bytes;
  ASSIGN_OR_RETURN(const Directory directory, FindDirectory(bytes));
  if (directory.entries > kMaxEntries)
    return InvalidArgument("the archive has {} entries; at most {} are read", directory.entries, kMaxEntries);
  const std::span<const std::byte> records = bytes.subspan(directory.offset, directory.bytes);
  uint64_t at = 0, packed = 0;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    if (!Holds(records, at, kCentralBytes) || Field<uint32_t>(records, at) != kCentralHeader) {
      return DataLoss("damaged zip archive: entry {} of {} is missing at offset {}", i, directory.entries,
                      directory.offset + at);
    }
    ZipEntry entry{Field<uint32_t>(records, at + 42), Field<uint32_t>(records, at + 20),
                   Field<uint32_t>(records, at + 24), Field<uint32_t>(records, at + 16),
                   Field<uint16_t>(records, at + 10), (Field<uint16_t>(records, at + 8) & 1) != 0};
    const uint64_t name_bytes = Field<uint16_t>(records, at + 28), extra_bytes = Field<uint16_t>(records, at + 30),
                   comment_bytes = Field<uint16_t>(records, at + 32);
    at += kCentralBytes;
    if (!Holds(records, at, name_bytes + extra_bytes + comment_bytes))
      return DataLoss("damaged zip archive: entry {} ends outside the directory", i);
    std::string name(reinterpret_cast<const char*>(records.data() + at), name_bytes);
    std::span<const std::byte> extra = records.subspan(at + name_bytes, extra_bytes);
    while (extra.size() >= 4) {
      const uint64_t size = Field<uint16_t>(extra, 2);
      if (size > extra.size() - 4) break;
      if (Field<uint16_t>(extra, 0) == kZip64Extra) {
        uint64_t field = 4;
        for (uint64_t* const wide : {&entry.bytes, &entry.stored_bytes, &entry.header_offset}) {
          if (*wide != kIn64) continue;
          if (field + 8 > size + 4) return DataLoss("damaged zip archive: '{}' lacks its zip64 sizes", name);
          *wide = Field<uint64_t>(extra, field);
          field += 8;
        }
      }
      extra = extra.subspan(4 + size);
    }
    at += name_bytes + extra_bytes + comment_bytes;
    // Entries that share bytes would make of a small file any number of large ones. One that is larger than the file is
    // refused when it is read.
    if (entry.stored_bytes <= bytes.size()) {
      if (entry.stored_bytes > bytes.size() - packed)
        return DataLoss("damaged zip archive: its entries have more than the {} bytes of the file", bytes.size());
      packed += entry.stored_bytes;
    }
    if (!reader.entries_.emplace(name, entry).second) return DataLoss("damaged zip archive: '{}' is in it twice", name);
  }
  return reader;
}

absl::StatusOr<std::span<const std::byte>> ZipReader::Read(std::string_view name) const {
  const auto found = entries_.find(name);
  if (found != entries_.end() && (found->second.method != kStored || found->second.encrypted))
    return Unimplemented("'{}' in the archive is compressed or encrypted; checkpoints are stored plainly", name);
  return ReadRaw(name);
}

absl::StatusOr<std::span<const std::byte>> ZipReader::ReadRaw(std::string_view name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return NotFound("the archive has no '{}'", name);
  const ZipEntry& entry = found->second;
  if ((entry.method != kStored && entry.method != kDeflated) || entry.encrypted)
    return Unimplemented("'{}' in the archive is encrypted or compressed otherwise than by deflate", name);
  if (!Holds(bytes_, entry.header_offset, kLocalBytes) ||
      Field<uint32_t>(bytes_, entry.header_offset) != kLocalHeader) {
    return DataLoss("damaged zip archive: '{}' does not begin at offset {}", name, entry.header_offset);
  }
  const uint64_t begin = entry.header_offset + kLocalBytes + Field<uint16_t>(bytes_, entry.header_offset + 26) +
                         Field<uint16_t>(bytes_, entry.header_offset + 28);
  if ((entry.method == kStored && entry.stored_bytes != entry.bytes) || !Holds(bytes_, begin, entry.stored_bytes)) {
    return DataLoss("damaged zip archive: the {} bytes of '{}' at offset {} are not within the {} of the file",
                    entry.bytes, name, begin, bytes_.size());
  }
  return bytes_.subspan(begin, entry.stored_bytes);
}

absl::StatusOr<std::span<const std::byte>> ZipReader::ReadChecked(std::string_view name) const {
  ASSIGN_OR_RETURN(const std::span<const std::byte> bytes, Read(name));
  if (Crc32(bytes) != entries_.find(name)->second.crc32)
    return DataLoss("damaged zip archive: the checksum of '{}' is wrong", name);
  return bytes;
}

}  // namespace slipway
