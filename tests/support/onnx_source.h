// ONNX files as sources. For tests that link slipway_import.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/error.h"
#include "convert/import/onnx/onnx_import.h"

namespace slipway::testing {

// With its external data opened.
inline absl::StatusOr<Source> OpenOnnx(const std::filesystem::path& path) {
  Source source;
  source.main.path = path.filename().string();
  ASSIGN_OR_RETURN(source.main.file, MappedFile::Open(path));
  ASSIGN_OR_RETURN(const std::vector<std::string> external, ExternalDataFiles(source.main.file->bytes()));
  for (const std::string& name : external) {
    SourceFile file{name, nullptr};
    ASSIGN_OR_RETURN(file.file, MappedFile::Open(path.parent_path() / name));
    source.external[name] = std::move(file);
  }
  return source;
}

}  // namespace slipway::testing
