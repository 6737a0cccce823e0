#include "convert/import/checkpoint/torch_zip.h"

#include "common/base/error.h"
#include "convert/import/checkpoint/torch_tensors.h"
#include "convert/import/checkpoint/zip.h"

namespace slipway {

absl::StatusOr<Checkpoint> ReadTorchZip(const std::shared_ptr<const MappedFile>& file, const ZipReader& zip) {
  std::string folder;
  for (const auto& [name, entry] : zip.entries()) {
    if (name.ends_with("/data.pkl") && name.find('/') == name.size() - std::string_view("/data.pkl").size())
      folder = name.substr(0, name.find('/') + 1);
  }
  if (folder.empty()) return InvalidArgument("a zip archive without data.pkl or .npy arrays: no checkpoint");
  if (const auto code = zip.entries().lower_bound(folder + "code/");
      code != zip.entries().end() && code->first.starts_with(folder + "code/")) {
    return InvalidArgument("a TorchScript program, whose code is refused and not run. Save model.state_dict() alone");
  }
  ASSIGN_OR_RETURN(const std::span<const std::byte> pickle, zip.ReadChecked(folder + "data.pkl"));
  PickleHeap heap;
  ASSIGN_OR_RETURN(const PickleResult object, ReadPickle(pickle, 0, TorchGlobals(), heap));

  TorchFile torch{file, false, {}};
  if (zip.entries().contains(folder + "byteorder")) {
    ASSIGN_OR_RETURN(const std::span<const std::byte> order, zip.Read(folder + "byteorder"));
    torch.big_endian = std::string_view(reinterpret_cast<const char*>(order.data()), order.size()) == "big";
  }
  torch.storage = [&zip, &folder](const StorageReference& reference) -> absl::StatusOr<std::span<const std::byte>> {
    const absl::StatusOr<std::span<const std::byte>> bytes = zip.Read(fmt::format("{}data/{}", folder, reference.key));
    if (absl::IsNotFound(bytes.status())) return DataLoss("{}", Message(bytes.status()));
    if (!bytes.ok()) return bytes.status();
    if (bytes->size() < static_cast<uint64_t>(reference.elements * reference.element_bytes)) {
      return DataLoss("its storage '{}' has {} bytes, not {} elements of {}", reference.key, bytes->size(),
                      reference.elements, reference.element_bytes);
    }
    return bytes;
  };
  Checkpoint checkpoint{"torch zip", {}};
  ASSIGN_OR_RETURN(checkpoint.tensors, CollectTensors(*object.value, torch));
  return checkpoint;
}

}  // namespace slipway
