// The stream that torch.save wrote before 1.6, and writes with _use_new_zipfile_serialization=False: pickles (magic
// number, protocol, the machine, the object, the storages' keys), then each storage: its element count (int64), its
// bytes.
#pragma once

#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "convert/import/checkpoint/checkpoint.h"

namespace slipway {

bool IsTorchLegacy(std::span<const std::byte> bytes);
absl::StatusOr<Checkpoint> ReadTorchLegacy(const std::shared_ptr<const MappedFile>& file);

}  // namespace slipway
