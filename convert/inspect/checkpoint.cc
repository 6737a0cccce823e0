// Checkpoints: .pt, .pth, .npz, .safetensors.
#include "convert/import/checkpoint/checkpoint.h"

#include "common/base/error.h"
#include "convert/import/zoo/zoo.h"
#include "convert/inspect/formats.h"

namespace slipway::inspect {

absl::StatusOr<ModelSummary> InspectCheckpoint(const std::filesystem::path& path, const File& file) {
  ASSIGN_OR_RETURN(const Checkpoint checkpoint, ReadCheckpoint(file));
  ModelSummary summary{.format = "checkpoint"};
  summary.facts.emplace_back("container", checkpoint.format);
  summary.files.push_back({path.string(), file->bytes().size()});
  for (const NamedTensor& named : checkpoint.tensors) {
    const std::string type(Name(named.tensor.type()));
    summary.tensors.push_back({named.name, type, Texts(named.tensor.shape())});
    AddWeight(summary, type, named.tensor.size(), static_cast<int64_t>(SizeOf(named.tensor.type())) * 8);
  }
  for (const Architecture& architecture : Architectures()) {
    if (BuildArchitecture(architecture.name, checkpoint).ok()) summary.fits.emplace_back(architecture.name);
  }
  return summary;
}

}  // namespace slipway::inspect
