// The header of one .npy array, versions 1.0 to 3.0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace slipway {

struct NpyHeader {
  std::string descr;  // "<f4"; of a structured array the whole list
  bool structured = false;
  bool fortran_order = false;
  std::vector<int64_t> shape;
  size_t data_offset = 0;
};

constexpr size_t kNpyPreambleBytes = 12;  // at most: magic, version, header's length

// How many bytes the preamble and the header have together, from the first kNpyPreambleBytes (or all there are).
absl::StatusOr<size_t> NpyHeaderBytes(std::span<const std::byte> begin);
// DATA_LOSS: damaged, saying where.
absl::StatusOr<NpyHeader> ReadNpyHeader(std::span<const std::byte> bytes);

}  // namespace slipway
