// The .mlpackage folder: manifest, model file, weights.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/targets/coreml/model.pb.h"
#include "convert/targets/coreml/weight_file.h"

namespace slipway::coreml_writer {

// Writes `folder`, which must not exist. Deterministic: the manifest's identifiers come from the model's content.
// Returns its files, relative to `folder`.
absl::StatusOr<std::vector<std::string>> WritePackage(const coreml::Model& model, const WeightFile& weights,
                                                      const std::filesystem::path& folder);

}  // namespace slipway::coreml_writer
