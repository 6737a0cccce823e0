// An .mlpackage on disk: its manifest, its model, its weight file.
#pragma once

#include <filesystem>
#include <memory>

#include "absl/status/statusor.h"
#include "common/base/file.h"
#include "convert/targets/coreml/model.pb.h"

namespace slipway::coreml_reader {

struct Package {
  coreml::Model model;
  std::shared_ptr<const MappedFile> weights;  // nullptr when the package has none
};

// Reads Manifest.json, the root model and, if it is there, weights/weight.bin beside it. Paths of the manifest stay inside the package's Data
// folder. DATA_LOSS / INVALID_ARGUMENT: malformed, saying what.
absl::StatusOr<Package> OpenPackage(const std::filesystem::path& folder);

}  // namespace slipway::coreml_reader
