#include "convert/inspect/local_source.h"

#include "common/base/error.h"
#include "common/base/file_beside.h"
#include "convert/import/onnx/onnx_import.h"

namespace slipway {

absl::StatusOr<Source> LocalOnnxSource(const std::filesystem::path& path) {
  Source source;
  source.main.path = path.string();
  ASSIGN_OR_RETURN(source.main.file, MappedFile::Open(path));
  const absl::StatusOr<std::vector<std::string>> names = ExternalDataFiles(source.main.file->bytes());
  if (!names.ok()) return source;
  for (const std::string& name : *names) {
    const absl::StatusOr<std::filesystem::path> beside = FileBeside(path, name);
    if (!beside.ok()) continue;
    ASSIGN_OR_RETURN(std::shared_ptr<const MappedFile> file, MappedFile::Open(*beside));
    source.external[name] = {beside->string(), std::move(file)};
  }
  return source;
}

}  // namespace slipway
