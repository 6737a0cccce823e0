#include "client/cli/settings.h"

#include <yaml-cpp/yaml.h>

#include <cstdlib>

#include "client/cli/flags.h"
#include "client/cli/values.h"
#include "common/base/error.h"
#include "common/base/file.h"

namespace slipway::cli {
namespace {

using Values = std::map<std::string, std::vector<std::string>>;

absl::Status Usage(const absl::Status& status) { return WithKind(status, ErrorKind::kUsage); }

std::vector<std::string> FlagNames() {
  std::vector<std::string> names;
  for (const Flag& flag : Flags()) names.emplace_back(flag.name);
  return names;
}

// `shape: {image: [1, 3, 224, 224]}` as the command line would say it; `target: [onnx, tflite]` likewise.
absl::StatusOr<std::vector<std::string>> NodeValues(const YAML::Node& node) {
  std::vector<std::string> values;
  if (node.IsScalar()) {
    values.push_back(node.Scalar());
  } else if (node.IsSequence()) {
    for (const YAML::Node& item : node) {
      if (!item.IsScalar()) return InvalidArgument("is a list of something else than values");
      values.push_back(item.Scalar());
    }
  } else if (node.IsMap()) {
    for (const auto& item : node) {
      ASSIGN_OR_RETURN(const std::vector<std::string> sizes, NodeValues(item.second));
      std::string text = item.first.Scalar() + "=";
      for (size_t i = 0; i < sizes.size(); ++i) text += (i == 0 ? "" : ",") + sizes[i];
      values.push_back(text);
    }
  } else {
    return InvalidArgument("has no value");
  }
  return values;
}

absl::StatusOr<Values> ReadConfig(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return Annotate(text.status(), "config file");
  YAML::Node root;
  try {
    root = YAML::Load(*text);
  } catch (const YAML::Exception& error) {
    return InvalidArgument("config file {} is no YAML: line {}: {}", path, error.mark.line + 1, error.msg);
  }
  Values values;
  if (root.IsNull()) return values;
  if (!root.IsMap()) return InvalidArgument("config file {} is no map of flag names to values", path);
  for (const auto& item : root) {
    const std::string name = item.first.IsScalar() ? item.first.Scalar() : "";
    const Flag* flag = FindFlag(name);
    if (flag == nullptr || name == "config") {
      return InvalidArgument("config file {}: there is no flag '{}'{}", path, name, DidYouMean(name, FlagNames()));
    }
    absl::StatusOr<std::vector<std::string>> list = NodeValues(item.second);
    if (!list.ok()) return Annotate(list.status(), fmt::format("config file {}: '{}'", path, name));
    // One value that is a list stands for as many uses of the flag; anything else says a flag's value once.
    const bool repeatable = flag->type == FlagType::kList || flag->type == FlagType::kShapes ||
                            flag->type == FlagType::kNumbers || flag->type == FlagType::kFixed;
    if (!repeatable && list->size() != 1) return InvalidArgument("config file {}: '{}' takes one value", path, name);
    if (flag->type == FlagType::kShapes && item.second.IsSequence() && item.second.size() == 0) continue;
    values[name] = *std::move(list);
  }
  return values;
}

absl::Status Check(const Flag& flag, const std::vector<std::string>& values, const std::string& where) {
  for (const std::string& value : values) {
    if (absl::Status status = CheckValue(flag, value); !status.ok()) return Annotate(status, where);
  }
  if (flag.type == FlagType::kShapes) {
    if (absl::Status status = ParseShapes(values).status(); !status.ok()) return Annotate(status, where);
  }
  if (flag.type == FlagType::kFixed) {
    if (absl::Status status = ParseFixed(values).status(); !status.ok()) return Annotate(status, where);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Settings> Settings::Resolve(std::string_view verb, const Values& given) {
  Settings settings;
  settings.values_ = given;
  for (const auto& [name, values] : given) {
    if (absl::Status status = Check(*FindFlag(name), values, "--" + name); !status.ok()) return Usage(status);
    settings.sources_[name] = "--" + name;
  }
  for (const Flag& flag : Flags()) {
    const std::string name(flag.name);
    const std::string variable = EnvironmentName(flag);
    const char* value = std::getenv(variable.c_str());
    if (settings.values_.contains(name) || !Takes(verb, flag) || value == nullptr || *value == '\0') continue;
    if (absl::Status status = Check(flag, {value}, variable); !status.ok()) return Usage(status);
    settings.values_[name] = {value};
    settings.sources_[name] = variable;
  }
  if (settings.Has("config")) {
    absl::StatusOr<Values> config = ReadConfig(settings.Text("config"));
    if (!config.ok()) return Usage(config.status());
    for (const auto& [name, values] : *config) {
      const Flag& flag = *FindFlag(name);
      if (settings.values_.contains(name) || !Takes(verb, flag)) continue;
      if (absl::Status status = Check(flag, values, "config file: " + name); !status.ok()) return Usage(status);
      settings.values_[name] = values;
      settings.sources_[name] = fmt::format("the config file's '{}'", name);
    }
  }
  return settings;
}

std::string Settings::Source(std::string_view name) const {
  const auto it = sources_.find(std::string(name));
  return it == sources_.end() ? "" : it->second;
}

bool Settings::Switch(std::string_view name) const { return ParseSwitch(Text(name, "0")).value_or(false); }

std::string Settings::Text(std::string_view name, std::string_view otherwise) const {
  const auto it = values_.find(std::string(name));
  return it == values_.end() || it->second.empty() ? std::string(otherwise) : it->second.back();
}

int64_t Settings::Integer(std::string_view name, int64_t otherwise) const {
  return ParseInteger(Text(name)).value_or(otherwise);
}

std::optional<double> Settings::Number(std::string_view name) const { return ParseNumber(Text(name)); }
std::optional<absl::Duration> Settings::Duration(std::string_view name) const { return ParseDuration(Text(name)); }

std::vector<std::string> Settings::List(std::string_view name) const {
  std::vector<std::string> list;
  const auto it = values_.find(std::string(name));
  if (it == values_.end()) return list;
  for (const std::string& value : it->second) {
    for (std::string& piece : SplitList(value)) list.push_back(std::move(piece));
  }
  return list;
}

std::vector<double> Settings::Numbers(std::string_view name) const {
  const auto it = values_.find(std::string(name));
  if (it == values_.end()) return {};
  return ParseNumbers(it->second).value_or(std::vector<double>());
}

std::map<std::string, std::vector<double>> Settings::Fixed(std::string_view name) const {
  const auto it = values_.find(std::string(name));
  if (it == values_.end()) return {};
  return ParseFixed(it->second).value_or(std::map<std::string, std::vector<double>>());
}

std::map<std::string, std::vector<int64_t>> Settings::Shapes(std::string_view name) const {
  const auto it = values_.find(std::string(name));
  if (it == values_.end()) return {};
  absl::StatusOr<std::map<std::string, std::vector<int64_t>>> shapes = ParseShapes(it->second);
  return shapes.ok() ? *std::move(shapes) : std::map<std::string, std::vector<int64_t>>();
}

}  // namespace slipway::cli
