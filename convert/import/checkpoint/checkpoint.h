// Checkpoints: named tensors out of .pt/.pth (legacy stream and zip form), .npz and .safetensors files. Our own reader,
// which knows tensors and nothing else: a pickle that names anything but tensor building blocks is refused by that name
// and never run.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/file.h"
#include "convert/ir/tensor.h"

namespace slipway {

struct NamedTensor {
  std::string name;  // nested dictionaries joined by '.': "state_dict.conv1.weight"
  Tensor tensor;     // a view into the mapped file where the storage is contiguous; bf16 and half kept as they are
};

struct Checkpoint {
  std::string format;                // "torch legacy stream", "torch zip", "npz", "safetensors"
  std::vector<NamedTensor> tensors;  // in the file's order
};

// The format is found by content, not by name. INVALID_ARGUMENT: no checkpoint at all, or one that names forbidden
// code; DATA_LOSS: truncated or damaged (what was expected, at which offset); UNIMPLEMENTED: complex, quantised or
// big-endian storages, by tensor name.
absl::StatusOr<Checkpoint> ReadCheckpoint(std::shared_ptr<const MappedFile> file);

}  // namespace slipway
