// The building blocks of torch.save: which names a checkpoint's pickle may use, and tensors out of what it says.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/import/checkpoint/checkpoint.h"
#include "convert/import/checkpoint/pickle.h"

namespace slipway {

// Sorted by name.
std::span<const PickleGlobal> TorchGlobals();

// What a persistent id ('storage', type, key, location, elements[, view]) says.
struct StorageReference {
  std::string_view key;
  DataType type = DataType::kUndefined;  // kUndefined: a kind we do not read
  std::string_view type_name;            // "torch.FloatStorage"
  int64_t element_bytes = 0;
  int64_t elements = 0;     // of the whole storage
  int64_t view_offset = 0;  // in elements: a storage that is a part of another (PyTorch before 0.4)
  int64_t view_elements = 0;
};
absl::StatusOr<StorageReference> ReadStorageReference(const PickleValue& persistent);

struct TorchFile {
  std::shared_ptr<const MappedFile> file;
  bool big_endian = false;
  // The bytes of a storage; DATA_LOSS if it is not there or shorter than said.
  std::function<absl::StatusOr<std::span<const std::byte>>(const StorageReference&)> storage;
};

// Every tensor below `root`, nested dictionaries and lists joined by '.'; everything else (numbers, texts, None) is
// passed over.
absl::StatusOr<std::vector<NamedTensor>> CollectTensors(const PickleValue& root, const TorchFile& file);

}  // namespace slipway
