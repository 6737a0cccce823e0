// An ONNX file on this machine as a source, with the external data that stands beside it.
#pragma once

#include <filesystem>

#include "absl/status/statusor.h"
#include "convert/import/source.h"

namespace slipway {

// External data that is missing or lies outside the model's folder is left out: who needs it says so.
absl::StatusOr<Source> LocalOnnxSource(const std::filesystem::path& path);

}  // namespace slipway
