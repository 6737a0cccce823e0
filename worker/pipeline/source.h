// From a task's blobs to what the converter reads.
#pragma once

#include <filesystem>

#include "absl/status/statusor.h"
#include "convert/import/source.h"
#include "worker/pipeline/pipeline.h"

namespace slipway {

// INVALID_ARGUMENT when the spec and its files do not fit; INTERNAL when a blob is missing.
absl::StatusOr<Source> SourceOf(const TaskInputs& inputs);

// Puts an ONNX source, and its external data as it names it, into a new folder; returns the .onnx file. For runtimes that open paths.
absl::StatusOr<std::filesystem::path> LayOutOnnx(const Source& source, const std::filesystem::path& folder);

}  // namespace slipway
