// MODEL arguments → what is to be uploaded under which names. contract: docs/cli.md, "Models".
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/digest.h"

namespace slipway::cli {

struct ModelFile {
  std::string path;  // as the user gave it, or beside it
  std::string name;  // external data: relative to the model's folder, as the model names it; "" for the main file
  Digest digest;     // filled in later
};

struct ModelArgument {
  std::string name;  // names folders and files: [A-Za-z0-9._-]+, unique
  std::string kind;  // "onnx", "checkpoint", "dummy"
  std::string architecture;
  std::vector<ModelFile> files;
  std::string argument;  // NAME=MODEL that gives exactly this model again
};

// Whether a model may have this name: a folder of it beside manifest.json must be possible and must not hide.
bool IsModelName(std::string_view name);

// `dummy`: every argument is an architecture alone, whose weights are made up.
// Reads no more than file names, except that ONNX files are walked for their external data. INVALID_ARGUMENT (usage): a
// path that is not there, an unknown architecture (with the nearest names), a name given twice. A file that is no model
// is not found out here: that ends as the model's failed cells.
absl::StatusOr<std::vector<ModelArgument>> ResolveModels(const std::vector<std::string>& arguments,
                                                         const std::string& weights, bool dummy = false);

}  // namespace slipway::cli
