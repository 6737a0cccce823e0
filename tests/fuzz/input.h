// What the fuzz targets share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "common/base/file.h"
#include "convert/import/checkpoint/checkpoint.h"

namespace slipway::fuzz {

// The fuzzer's bytes as a mapped file. What lies between its last byte and the end of its last page is poisoned, so that
// AddressSanitizer sees a read past the end.
class Input {
 public:
  Input(const uint8_t* data, size_t size);
  ~Input();
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  const std::shared_ptr<const MappedFile>& file() const { return file_; }

 private:
  std::span<const std::byte> Behind() const;
  std::shared_ptr<const MappedFile> file_;
};

// Reads every byte that the tensors promise.
void Touch(const absl::StatusOr<Checkpoint>& checkpoint);

// This process' folder for files, in memory where there is such a file system.
const std::filesystem::path& Scratch();
void Write(const std::filesystem::path& path, std::span<const uint8_t> bytes);

// A mutation whose zip checksums are mostly put right again: a wrong one would hide all that lies behind it.
size_t MutateZip(uint8_t* data, size_t size, size_t max_size, unsigned seed);

}  // namespace slipway::fuzz
