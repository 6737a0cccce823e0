#include "convert/import/checkpoint/torch_legacy.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include "common/base/error.h"
#include "convert/import/checkpoint/torch_tensors.h"

namespace slipway {
namespace {

using Kind = PickleValue::Kind;

// LONG1 of 10 bytes: 0x1950a86a20f9469cfc6c, the first pickle's only value.
constexpr std::array<uint8_t, 12> kMagic = {0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
constexpr int64_t kProtocol = 1001;

bool SaysBigEndian(const PickleValue& machine) {
  for (size_t i = 0; machine.kind == Kind::kDict && i + 1 < machine.items.size(); i += 2) {
    if (machine.items[i]->text == "little_endian") return machine.items[i + 1]->integer == 0;
  }
  return false;
}

// Element size of every storage that the pickle refers to, also of those that no tensor we read uses: the stream has to
// be walked over them.
absl::StatusOr<std::map<std::string_view, StorageReference>> References(const PickleHeap& heap) {
  std::map<std::string_view, StorageReference> references;
  for (const PickleValue& value : heap.values()) {
    if (value.kind != Kind::kPersistent) continue;
    ASSIGN_OR_RETURN(const StorageReference reference, ReadStorageReference(value));
    references.emplace(reference.key, reference);
  }
  return references;
}

}  // namespace

bool IsTorchLegacy(std::span<const std::byte> bytes) {
  const auto head = bytes.first(std::min<size_t>(bytes.size(), 32));
  const auto same = [](std::byte a, uint8_t b) { return static_cast<uint8_t>(a) == b; };
  return std::search(head.begin(), head.end(), kMagic.begin(), kMagic.end(), same) != head.end();
}

absl::StatusOr<Checkpoint> ReadTorchLegacy(const std::shared_ptr<const MappedFile>& file) {
  const std::span<const std::byte> bytes = file->bytes();
  PickleHeap heap;
  ASSIGN_OR_RETURN(const PickleResult magic, ReadPickle(bytes, 0, TorchGlobals(), heap));
  ASSIGN_OR_RETURN(const PickleResult protocol, ReadPickle(bytes, magic.end, TorchGlobals(), heap));
  if (protocol.value->kind != Kind::kInt || protocol.value->integer != kProtocol)
    return DataLoss("damaged checkpoint: its protocol is not {}", kProtocol);
  ASSIGN_OR_RETURN(const PickleResult machine, ReadPickle(bytes, protocol.end, TorchGlobals(), heap));
  ASSIGN_OR_RETURN(const PickleResult object, ReadPickle(bytes, machine.end, TorchGlobals(), heap));
  ASSIGN_OR_RETURN(const PickleResult keys, ReadPickle(bytes, object.end, TorchGlobals(), heap));
  if (keys.value->kind != Kind::kList)
    return DataLoss("damaged checkpoint: no list of storages at offset {}", object.end);
  ASSIGN_OR_RETURN(const auto references, References(heap));

  TorchFile torch{file, SaysBigEndian(*machine.value), {}};
  std::map<std::string_view, std::span<const std::byte>> storages;
  size_t at = keys.end;
  for (const PickleValue* key : keys.value->items) {
    if (torch.big_endian) break;  // its tensors are refused by name
    if (bytes.size() - at < sizeof(int64_t))
      return DataLoss("truncated: storage '{}' should begin at offset {}, the file ends at {}", key->text, at,
                      bytes.size());
    int64_t elements = 0;
    std::memcpy(&elements, bytes.data() + at, sizeof(elements));
    at += sizeof(elements);
    const auto found = references.find(key->text);
    if (found == references.end()) return DataLoss("damaged checkpoint: nothing refers to storage '{}'", key->text);
    if (elements != found->second.elements) {
      return DataLoss("damaged checkpoint: storage '{}' at offset {} says {} elements, the pickle {}", key->text, at,
                      elements, found->second.elements);
    }
    const auto size = static_cast<uint64_t>(elements * found->second.element_bytes);
    if (size > bytes.size() - at)
      return DataLoss("truncated: storage '{}' needs {} bytes at offset {}, the file ends at {}", key->text, size, at,
                      bytes.size());
    storages[key->text] = bytes.subspan(at, size);
    at += size;
  }
  torch.storage = [&storages](const StorageReference& reference) -> absl::StatusOr<std::span<const std::byte>> {
    const auto found = storages.find(reference.key);
    if (found == storages.end()) return DataLoss("its storage '{}' is not in the file", reference.key);
    if (found->second.size() < static_cast<uint64_t>(reference.elements * reference.element_bytes)) {
      return DataLoss("its storage '{}' has {} bytes, not {} elements of {}", reference.key, found->second.size(),
                      reference.elements, reference.element_bytes);
    }
    return found->second;
  };
  Checkpoint checkpoint{"torch legacy stream", {}};
  ASSIGN_OR_RETURN(checkpoint.tensors, CollectTensors(*object.value, torch));
  return checkpoint;
}

}  // namespace slipway
