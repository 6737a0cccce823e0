// More outputs for an ONNX file without rewriting it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/file.h"

namespace slipway {

// Names of the graph's outputs, in order, read from the wire format: no message of the model's size is built. DATA_LOSS if it is no ModelProto.
absl::StatusOr<std::vector<std::string>> OnnxOutputNames(std::span<const std::byte> model);

// Names of what the graph's nodes make, the graph's outputs left out, in order. DATA_LOSS if it is no ModelProto.
absl::StatusOr<std::vector<std::string>> OnnxInnerNames(std::span<const std::byte> model);

// A model whose inner tensors `names` are outputs too, in a folder of its own under `scratch`, with the files that stand
// beside it (external data) linked there.
struct OnnxCopy {
  TemporaryFolder folder;
  std::filesystem::path model;
};
absl::StatusOr<OnnxCopy> CopyWithOutputs(const std::filesystem::path& model, const std::vector<std::string>& names,
                                         const std::filesystem::path& scratch);

}  // namespace slipway
