// weight.bin: the tensors of an ML program beside its model file.
//
// Little-endian. Header of 64 bytes: u32 blobs, u32 version (2), zeros. Each blob at a 64-byte aligned offset: 64 bytes of metadata (u32
// 0xDEADBEEF, u32 element type, u64 bytes, u64 offset of the data, u64 padding bits, zeros), then the data. No padding at the end.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/base/digest.h"
#include "convert/ir/tensor.h"

namespace slipway::coreml_writer {

// Plans the file first, writes it last: tensors are kept as views and streamed. Equal tensors are stored once.
class WeightFile {
 public:
  // The offset of the tensor's metadata: what the model file refers to. kFloat32 only.
  uint64_t Add(const Tensor& tensor);
  bool empty() const { return blobs_.empty(); }
  absl::Status Write(const std::filesystem::path& path) const;

 private:
  struct Blob {
    uint64_t offset;
    Tensor tensor;
  };
  std::vector<Blob> blobs_;
  std::map<Digest, uint64_t> offsets_;
  uint64_t end_ = 64;
};

}  // namespace slipway::coreml_writer
