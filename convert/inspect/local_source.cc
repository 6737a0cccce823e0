#include "convert/inspect/local_source.h"

#include "common/base/error.h"
#include "convert/import/onnx/onnx_import.h"

namespace slipway {

absl::StatusOr<Source> LocalOnnxSource(const std::filesystem::path& path) {
  Source source;
  source.main.path = path.string();
  ASSIGN_OR_RETURN(source.main.file, MappedFile::Open(path));
  const absl::StatusOr<std::vector<std::string>> names = ExternalDataFiles(source.main.file->bytes());
  if (!names.ok()) return source;
  for (const std::string& name : *names) {
    const std::filesystem::path beside = path.parent_path() / name;
    std::error_code error;
    if (!std::filesystem::is_regular_file(beside, error)) continue;
    ASSIGN_OR_RETURN(std::shared_ptr<const MappedFile> file, MappedFile::Open(beside));
    source.external[name] = {beside.string(), std::move(file)};
  }
  return source;
}

}  // namespace slipway
