#include "client/cli/interface_flags.h"

#include <fmt/ranges.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "common/base/error.h"
#include "common/base/file.h"
#include "convert/import/zoo/zoo.h"

namespace slipway::cli {
namespace {

template <typename... Args>
absl::Status Usage(fmt::format_string<Args...> format, Args&&... args) {
  return WithKind(InvalidArgument("{}", fmt::format(format, std::forward<Args>(args)...)), ErrorKind::kUsage);
}

constexpr std::string_view kClassifier = "classifier";

// What photographs classifiers are fed with: bytes; and the statistics that their weights expect.
InterfaceOptions ClassifierPreset(const ImageStatistics& statistics) {
  InterfaceOptions options;
  options.scale = 1.0 / 255;
  options.mean.assign(statistics.mean.begin(), statistics.mean.end());
  options.std.assign(statistics.std.begin(), statistics.std.end());
  options.softmax = true;
  options.input_names = {"image"};
  options.output_names = {"probs"};
  return options;
}

// A graph of unknown origin is taken to have been trained as most are.
std::string StatisticsNote(const ModelArgument& model, const Architecture* architecture,
                           const ImageStatistics& statistics) {
  std::string note = fmt::format("{}: --preset {} normalises by mean {} and std {}", model.name, kClassifier,
                                 fmt::join(statistics.mean, ","), fmt::join(statistics.std, ","));
  if (architecture == nullptr) return note + ", ImageNet's; a graph does not say what it expects: --mean and --std do";
  note += fmt::format(", what {}'s weights expect", architecture->name);
  if (!architecture->other_statistics.empty())
    note += fmt::format("; {}: --mean and --std take their place", architecture->other_statistics);
  return note;
}

absl::StatusOr<InterfaceOptions> Preset(const Settings& settings, const std::vector<ModelArgument>& models,
                                        std::vector<std::string>& notes) {
  if (!settings.Has("preset")) return InterfaceOptions();
  const std::string name = settings.Text("preset");
  if (name != kClassifier) return Usage("--preset: there is no preset '{}'; the only one is {}", name, kClassifier);
  const bool is_told = settings.Has("mean") && settings.Has("std");
  ImageStatistics statistics;
  for (const ModelArgument& model : models) {
    const Architecture* architecture = FindArchitecture(model.architecture);
    if (architecture != nullptr && architecture->classes == 0)
      return Usage("--preset {}: {} is no classifier", name, architecture->name);
    const ImageStatistics expected = architecture == nullptr ? ImageStatistics() : architecture->statistics;
    const bool differs =
        &model != &models.front() && (expected.mean != statistics.mean || expected.std != statistics.std);
    if (differs && !is_told) {
      return Usage(
          "--preset {}: {} and {} expect different means and stds; export them apart, or give --mean and --std", name,
          models.front().name, model.name);
    }
    statistics = expected;
    if (!is_told) notes.push_back(StatisticsNote(model, architecture, statistics));
  }
  return ClassifierPreset(statistics);
}

bool IsUtf8(const std::string& text) {
  using nlohmann::json;
  return json::parse(json(text).dump(-1, ' ', false, json::error_handler_t::ignore)) == json(text);
}

// One class a line, in the order of the classes; a last empty line does not count.
absl::StatusOr<std::vector<std::string>> ReadLabels(const std::string& path) {
  constexpr uintmax_t kMostBytes = 16 << 20;
  std::error_code error;
  const uintmax_t bytes = std::filesystem::file_size(path, error);
  if (error) return Usage("--labels {}: {}", path, error.message());
  if (bytes > kMostBytes) return Usage("--labels {}: more than {} bytes: this is no list of classes", path, kMostBytes);
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return Usage("--labels {}: {}", path, Message(text.status()));
  std::istringstream lines(*text);
  std::vector<std::string> labels;
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    labels.push_back(std::move(line));
  }
  while (!labels.empty() && labels.back().empty()) labels.pop_back();
  if (labels.empty()) return Usage("--labels {}: it is empty; it names one class a line", path);
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i].empty() || !IsUtf8(labels[i]))
      return Usage("--labels {}: line {} {}", path, i + 1, labels[i].empty() ? "is empty" : "is no UTF-8 text");
  }
  return labels;
}

absl::Status CheckLabels(const Settings& settings, const std::vector<std::string>& labels) {
  const std::optional<int64_t> classes =
      settings.Has("num-classes") ? std::optional(settings.Integer("num-classes", 0)) : std::nullopt;
  if (!classes || std::cmp_equal(*classes, labels.size())) return absl::OkStatus();
  return Usage("--labels {} names {} classes, --num-classes says {}", settings.Text("labels"), labels.size(), *classes);
}

absl::Status CheckNames(std::string_view flag, const std::vector<std::string>& names) {
  std::set<std::string_view> seen;
  for (const std::string& name : names) {
    if (!seen.insert(name).second) return Usage("--{}: '{}' is there twice", flag, name);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<InterfaceOptions> ReadInterface(const Settings& settings, const std::vector<ModelArgument>& models,
                                               std::vector<std::string>& notes) {
  ASSIGN_OR_RETURN(InterfaceOptions options, Preset(settings, models, notes));
  if (settings.Has("labels")) {
    options.labels_file = settings.Text("labels");
    ASSIGN_OR_RETURN(options.labels, ReadLabels(options.labels_file));
    RETURN_IF_ERROR(CheckLabels(settings, options.labels));
  }
  options.shapes = settings.Shapes("shape");
  options.fix = settings.Fixed("fix");
  options.cut_inputs = settings.List("cut-inputs");
  options.cut_outputs = settings.List("cut-outputs");
  if (settings.Has("mean")) options.mean = settings.Numbers("mean");
  if (settings.Has("std")) options.std = settings.Numbers("std");
  if (settings.Has("scale")) options.scale = settings.Number("scale");
  if (settings.Has("softmax")) options.softmax = settings.Switch("softmax");
  if (settings.Has("input-name")) options.input_names = settings.List("input-name");
  if (settings.Has("output-name")) options.output_names = settings.List("output-name");
  for (const double deviation : options.std) {
    if (!(deviation > 0)) return Usage("--std: {} is not above 0", deviation);
  }
  if (options.mean.size() > 1 && options.std.size() > 1 && options.mean.size() != options.std.size())
    return Usage("--mean gives {} values, --std {}: give one, or one a channel", options.mean.size(),
                 options.std.size());
  const std::string layout = settings.Text("io-layout", "source");
  if (layout != "source" && layout != "nhwc")
    return Usage("--io-layout: there is no layout '{}'; it is source or nhwc", layout);
  options.channels_last = layout == "nhwc";
  RETURN_IF_ERROR(CheckNames("cut-inputs", options.cut_inputs));
  RETURN_IF_ERROR(CheckNames("cut-outputs", options.cut_outputs));
  RETURN_IF_ERROR(CheckNames("input-name", options.input_names));
  RETURN_IF_ERROR(CheckNames("output-name", options.output_names));
  return options;
}

v1::InterfaceOptions ToMessage(const InterfaceOptions& options) {
  v1::InterfaceOptions message;
  for (const auto& [name, sizes] : options.shapes)
    (*message.mutable_shapes())[name].mutable_values()->Add(sizes.begin(), sizes.end());
  for (const auto& [name, values] : options.fix)
    (*message.mutable_fix())[name].mutable_values()->Add(values.begin(), values.end());
  message.mutable_cut_inputs()->Add(options.cut_inputs.begin(), options.cut_inputs.end());
  message.mutable_cut_outputs()->Add(options.cut_outputs.begin(), options.cut_outputs.end());
  message.mutable_mean()->Add(options.mean.begin(), options.mean.end());
  message.mutable_std()->Add(options.std.begin(), options.std.end());
  if (options.scale) message.set_scale(*options.scale);
  message.set_softmax(options.softmax);
  message.mutable_input_names()->Add(options.input_names.begin(), options.input_names.end());
  message.mutable_output_names()->Add(options.output_names.begin(), options.output_names.end());
  message.set_channels_last(options.channels_last);
  message.mutable_labels()->Add(options.labels.begin(), options.labels.end());
  message.set_labels_file(options.labels_file);
  return message;
}

std::vector<std::pair<std::string, std::string>> ToFlags(const InterfaceOptions& options) {
  std::vector<std::pair<std::string, std::string>> flags;
  const auto add_list = [&](const char* flag, const auto& values) {
    if (!values.empty()) flags.emplace_back(flag, fmt::format("{}", fmt::join(values, ",")));
  };
  for (const auto& [name, sizes] : options.shapes)
    flags.emplace_back("shape", fmt::format("{}={}", name, fmt::join(sizes, ",")));
  for (const auto& [name, values] : options.fix)
    flags.emplace_back("fix", fmt::format("{}={}", name, fmt::join(values, ",")));
  add_list("cut-inputs", options.cut_inputs);
  add_list("cut-outputs", options.cut_outputs);
  if (options.scale) flags.emplace_back("scale", fmt::format("{}", *options.scale));
  add_list("mean", options.mean);
  add_list("std", options.std);
  if (options.softmax) flags.emplace_back("softmax", "");
  add_list("input-name", options.input_names);
  add_list("output-name", options.output_names);
  if (options.channels_last) flags.emplace_back("io-layout", "nhwc");
  if (!options.labels_file.empty()) flags.emplace_back("labels", options.labels_file);
  return flags;
}

}  // namespace slipway::cli
