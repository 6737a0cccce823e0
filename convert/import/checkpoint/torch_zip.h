// The zip archive that torch.save writes since 1.6: NAME/data.pkl, NAME/data/KEY for each storage, NAME/byteorder.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "convert/import/checkpoint/checkpoint.h"
#include "convert/import/checkpoint/zip.h"

namespace slipway {

absl::StatusOr<Checkpoint> ReadTorchZip(const std::shared_ptr<const MappedFile>& file, const ZipReader& zip);

}  // namespace slipway
