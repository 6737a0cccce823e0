#include "tests/fuzz/input.h"

#include <sanitizer/asan_interface.h>
#include <zlib.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace slipway::fuzz {
namespace {

uint64_t Number(const uint8_t* at, int bytes) {
  uint64_t value = 0;
  for (int i = bytes - 1; i >= 0; --i) value = value << 8 | at[i];
  return value;
}

// Of every stored entry, in its two headers (APPNOTE.TXT 4.3.7, 4.3.12).
void MendChecksums(uint8_t* data, size_t size) {
  for (size_t at = 0; at + 46 <= size; ++at) {
    if (std::memcmp(data + at, "PK\x01\x02", 4) != 0) continue;
    const uint64_t header = Number(data + at + 42, 4), bytes = Number(data + at + 20, 4);
    if (header + 30 > size || Number(data + at + 10, 2) != 0) continue;
    const uint64_t begin = header + 30 + Number(data + header + 26, 2) + Number(data + header + 28, 2);
    if (begin > size || bytes > size - begin) continue;
    const auto checksum = static_cast<uint32_t>(crc32(0, data + begin, static_cast<unsigned>(bytes)));
    std::memcpy(data + at + 16, &checksum, sizeof checksum);
    std::memcpy(data + header + 14, &checksum, sizeof checksum);
  }
}

}  // namespace

Input::Input(const uint8_t* data, size_t size) {
  const auto fd = SealedMemory("input", std::as_bytes(std::span(data, size)));
  if (!fd.ok()) std::abort();
  auto file = MappedFile::Map(fd->get(), "input");
  if (!file.ok()) std::abort();
  file_ = *std::move(file);
  ASAN_POISON_MEMORY_REGION(Behind().data(), Behind().size());
}

Input::~Input() { ASAN_UNPOISON_MEMORY_REGION(Behind().data(), Behind().size()); }

std::span<const std::byte> Input::Behind() const {
  constexpr size_t kPage = 4096;
  const std::span<const std::byte> bytes = file_->bytes();
  return {bytes.data() + bytes.size(), (kPage - bytes.size() % kPage) % kPage};
}

void Touch(const absl::StatusOr<Checkpoint>& checkpoint) {
  if (!checkpoint.ok()) return;
  unsigned sum = 0;
  for (const NamedTensor& named : checkpoint->tensors) {
    for (const std::byte b : named.tensor.bytes()) sum += static_cast<unsigned>(b);
  }
  [[maybe_unused]] static volatile unsigned keep;
  keep = sum;
}

const std::filesystem::path& Scratch() {
  static const TemporaryFolder folder = [] {
    std::error_code error;
    auto made =
        TemporaryFolder::Create(std::filesystem::is_directory("/dev/shm", error) ? "/dev/shm" : "/tmp", "fuzz-");
    if (!made.ok()) std::abort();
    return *std::move(made);
  }();
  return folder.path();
}

void Write(const std::filesystem::path& path, std::span<const uint8_t> bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) std::abort();
}

size_t MutateZip(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  const size_t mutated = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 != 0) MendChecksums(data, mutated);
  return mutated;
}

}  // namespace slipway::fuzz
