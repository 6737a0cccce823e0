#include "client/cli/interface_flags.h"

#include <fmt/ranges.h>

#include <set>

#include "common/base/error.h"
#include "convert/import/zoo/zoo.h"

namespace slipway::cli {
namespace {

template <typename... Args>
absl::Status Usage(fmt::format_string<Args...> format, Args&&... args) {
  return WithKind(InvalidArgument("{}", fmt::format(format, std::forward<Args>(args)...)), ErrorKind::kUsage);
}

constexpr std::string_view kClassifier = "classifier";

// What photographs classifiers are fed with: bytes; and the statistics of ImageNet, those of torchvision's weights. Weights trained
// with others take --mean and --std.
InterfaceOptions ClassifierPreset() {
  InterfaceOptions options;
  options.scale = 1.0 / 255;
  options.mean = {0.485, 0.456, 0.406};
  options.std = {0.229, 0.224, 0.225};
  options.softmax = true;
  options.input_names = {"image"};
  options.output_names = {"probs"};
  return options;
}

absl::StatusOr<InterfaceOptions> Preset(const Settings& settings, const std::vector<ModelArgument>& models) {
  if (!settings.Has("preset")) return InterfaceOptions();
  const std::string name = settings.Text("preset");
  if (name != kClassifier) return Usage("--preset: there is no preset '{}'; the only one is {}", name, kClassifier);
  for (const ModelArgument& model : models) {
    const Architecture* architecture = FindArchitecture(model.architecture);
    if (architecture != nullptr && architecture->classes == 0)
      return Usage("--preset {}: {} is no classifier", name, architecture->name);
  }
  return ClassifierPreset();
}

absl::Status CheckNames(std::string_view flag, const std::vector<std::string>& names) {
  std::set<std::string_view> seen;
  for (const std::string& name : names) {
    if (!seen.insert(name).second) return Usage("--{}: '{}' is there twice", flag, name);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<InterfaceOptions> ReadInterface(const Settings& settings, const std::vector<ModelArgument>& models) {
  ASSIGN_OR_RETURN(InterfaceOptions options, Preset(settings, models));
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
  return flags;
}

}  // namespace slipway::cli
