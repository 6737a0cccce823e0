// A verb's settings after flag, environment and config file have been weighed, every value checked by its type.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace slipway::cli {

class Settings {
 public:
  // `given`: flag → values from the command line, not yet split. Adds what only the environment or the config file
  // (named by `given`, else by SLIPWAY_CONFIG) says. INVALID_ARGUMENT (usage) naming where a bad value stands.
  static absl::StatusOr<Settings> Resolve(std::string_view verb,
                                          const std::map<std::string, std::vector<std::string>>& given);

  bool Has(std::string_view name) const { return values_.contains(std::string(name)); }
  // Where the value stands: "--name", "SLIPWAY_NAME" or "the config file's 'name'"; "" where it has none.
  std::string Source(std::string_view name) const;
  // Whether it stands on the command line.
  bool Typed(std::string_view name) const { return Source(name) == "--" + std::string(name); }
  bool Switch(std::string_view name) const;
  std::string Text(std::string_view name, std::string_view otherwise = "") const;
  int64_t Integer(std::string_view name, int64_t otherwise) const;
  std::optional<double> Number(std::string_view name) const;
  std::optional<absl::Duration> Duration(std::string_view name) const;
  std::vector<std::string> List(std::string_view name) const;
  std::map<std::string, std::vector<int64_t>> Shapes(std::string_view name) const;
  std::map<std::string, std::vector<double>> Fixed(std::string_view name) const;
  std::vector<double> Numbers(std::string_view name) const;

 private:
  std::map<std::string, std::vector<std::string>> values_;
  std::map<std::string, std::string> sources_;
};

}  // namespace slipway::cli
