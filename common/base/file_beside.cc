#include "common/base/file_beside.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/base/file.h"

namespace slipway {

namespace fs = std::filesystem;

absl::StatusOr<fs::path> FileBeside(const fs::path& file, std::string_view relative) {
  if (!IsContainedPath(relative)) return InvalidArgument("'{}' is outside the folder of {}", relative, file.string());
  std::error_code error;
  fs::path beside = file.parent_path() / relative;
  const fs::path real = fs::canonical(beside, error);
  if (error || !fs::is_regular_file(real, error))
    return NotFound("there is no file '{}' beside {}", relative, file.string());
  for (const fs::path& folder :
       {fs::canonical(fs::absolute(file).parent_path(), error), fs::canonical(file, error).parent_path()}) {
    if (!folder.empty() && std::mismatch(folder.begin(), folder.end(), real.begin(), real.end()).first == folder.end())
      return beside;
  }
  return InvalidArgument("'{}' beside {} is a link to {}, outside the folder; put the file itself there", relative,
                         file.string(), real.string());
}

}  // namespace slipway
