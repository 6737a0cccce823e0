#include "tests/suites/exclusions.h"

#include <sstream>

#include "common/base/error.h"
#include "common/base/file.h"

namespace slipway::suites {

absl::StatusOr<std::map<std::string, std::string>> ReadExclusions(const std::filesystem::path& file) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(file));
  std::map<std::string, std::string> exclusions;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    const size_t tab = line.find('\t');
    if (tab == std::string::npos || tab + 1 == line.size())
      return InvalidArgument("{}: '{}' gives no reason", file.string(), line);
    if (!exclusions.emplace(line.substr(0, tab), line.substr(tab + 1)).second)
      return InvalidArgument("{}: '{}' stands there twice", file.string(), line.substr(0, tab));
  }
  return exclusions;
}

}  // namespace slipway::suites
