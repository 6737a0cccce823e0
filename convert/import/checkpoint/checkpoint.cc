#include "convert/import/checkpoint/checkpoint.h"

#include <cstring>

#include "common/base/error.h"
#include "convert/import/checkpoint/npz.h"
#include "convert/import/checkpoint/pickle.h"
#include "convert/import/checkpoint/safetensors.h"
#include "convert/import/checkpoint/torch_legacy.h"
#include "convert/import/checkpoint/torch_tensors.h"
#include "convert/import/checkpoint/torch_zip.h"
#include "convert/import/checkpoint/zip.h"

namespace slipway {
namespace {

bool StartsWith(std::span<const std::byte> bytes, std::string_view prefix) {
  return bytes.size() >= prefix.size() && std::memcmp(bytes.data(), prefix.data(), prefix.size()) == 0;
}

// A pickle that torch.save did not write. It is read all the same, so that one which names code is refused by that
// name.
absl::Status NoCheckpoint(std::span<const std::byte> bytes) {
  if (bytes.empty()) return InvalidArgument("an empty file is no checkpoint");
  PickleHeap heap;
  const absl::StatusOr<PickleResult> pickle = ReadPickle(bytes, 0, TorchGlobals(), heap);
  if (pickle.ok()) return InvalidArgument("a pickle that torch.save did not write is no checkpoint");
  if (absl::IsInvalidArgument(pickle.status())) return pickle.status();
  return InvalidArgument("no checkpoint: neither of torch.save's forms, nor .npz, nor .safetensors");
}

absl::StatusOr<Checkpoint> Read(const std::shared_ptr<const MappedFile>& file) {
  if (StartsWith(file->bytes(), "PK\x03\x04")) {
    ASSIGN_OR_RETURN(const ZipReader zip, ZipReader::Open(file->bytes()));
    return IsNpz(zip) ? ReadNpz(file, zip) : ReadTorchZip(file, zip);
  }
  if (IsTorchLegacy(file->bytes())) return ReadTorchLegacy(file);
  if (IsSafetensors(file->bytes())) return ReadSafetensors(file);
  return NoCheckpoint(file->bytes());
}

}  // namespace

absl::StatusOr<Checkpoint> ReadCheckpoint(std::shared_ptr<const MappedFile> file) {
  absl::StatusOr<Checkpoint> checkpoint = Read(file);
  if (!checkpoint.ok()) return Annotate(checkpoint.status(), file->name());
  if (checkpoint->tensors.empty()) return InvalidArgument("{}: a checkpoint that holds no tensors", file->name());
  return checkpoint;
}

}  // namespace slipway
