// safetensors: the header's length as uint64, a JSON header, then the tensors' bytes without gaps.
// huggingface.co/docs/safetensors: the format's definition.
#pragma once

#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "convert/import/checkpoint/checkpoint.h"

namespace slipway {

bool IsSafetensors(std::span<const std::byte> bytes);

// Every tensor is a view of the file. The tensors must cover what follows the header, each byte once: a file in which
// they overlap, leave gaps or end elsewhere is refused (DATA_LOSS).
absl::StatusOr<Checkpoint> ReadSafetensors(const std::shared_ptr<const MappedFile>& file);

}  // namespace slipway
