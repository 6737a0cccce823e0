#include "common/base/installation.h"

#include <unistd.h>

namespace slipway {
namespace fs = std::filesystem;

fs::path OwnFolder() {
  std::error_code error;
  const fs::path binary = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::path(".") : binary.parent_path();
}

std::string DefaultPython() {
  const fs::path prefix = OwnFolder().parent_path();
  for (const fs::path& python : {prefix / "lib/slipway/venv/bin/python", prefix.parent_path() / ".venv/bin/python"}) {
    if (access(python.c_str(), X_OK) == 0) return python.string();
  }
  return "python3";
}

}  // namespace slipway
