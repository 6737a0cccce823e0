// Inside Inspect(): the formats, each in its own file.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/file.h"
#include "convert/inspect/summary.h"

namespace slipway::inspect {

using File = std::shared_ptr<const MappedFile>;

absl::StatusOr<ModelSummary> InspectOnnx(const std::filesystem::path& path, const File& file);
absl::StatusOr<ModelSummary> InspectTflite(const std::filesystem::path& path, const File& file);
absl::StatusOr<ModelSummary> InspectMlmodel(const std::filesystem::path& path, const File& file);
absl::StatusOr<ModelSummary> InspectMlpackage(const std::filesystem::path& folder);
absl::StatusOr<ModelSummary> InspectNcnn(const std::filesystem::path& path, const File& file);
absl::StatusOr<ModelSummary> InspectCheckpoint(const std::filesystem::path& path, const File& file);

// Adds a tensor of so many elements of `bits` bits each.
void AddWeight(ModelSummary& summary, const std::string& type, int64_t elements, int64_t bits);

// The product; DATA_LOSS naming the tensor when a size is negative or the product beyond int64.
absl::StatusOr<int64_t> Elements(std::string_view name, const std::vector<int64_t>& sizes);
std::vector<std::string> Texts(const std::vector<int64_t>& sizes);  // -1 is "?"

}  // namespace slipway::inspect
