#include "convert/capabilities/capabilities.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <vector>

namespace slipway {
namespace {

constexpr std::array kTargets = {
    TargetInfo{"onnx", "onnx", "onnxruntime", "{model}.onnx"},
    TargetInfo{"tflite", "tflite", "litert", "{model}.tflite"},
    TargetInfo{"coreml", "mlprogram", "coreml-interpreter", "{model}.mlpackage"},
    TargetInfo{"ncnn", "ncnn", "ncnn", "{model}.param"},
};

constexpr std::array<std::string_view, 6> kPrecisions = {"fp32",    "fp16",         "int8",
                                                         "int16x8", "int8-dynamic", "int8-weight"};

struct Pair {
  std::string_view target, precision;
};

constexpr std::array kPairs = {
    Pair{"onnx", "fp32"},
    Pair{"tflite", "fp32"},
    Pair{"coreml", "fp32"},
    Pair{"ncnn", "fp32"},
};

std::vector<std::string_view> TargetNames() {
  std::vector<std::string_view> names;
  for (const TargetInfo& target : kTargets) names.push_back(target.name);
  return names;
}

std::vector<std::string_view> PrecisionsOf(std::string_view target) {
  std::vector<std::string_view> precisions;
  for (const Pair& pair : kPairs) {
    if (pair.target == target) precisions.push_back(pair.precision);
  }
  return precisions;
}

}  // namespace

std::span<const TargetInfo> Targets() { return kTargets; }

const TargetInfo* FindTarget(std::string_view name) {
  const auto found = std::ranges::find(kTargets, name, &TargetInfo::name);
  return found == kTargets.end() ? nullptr : &*found;
}

std::span<const std::string_view> Precisions() { return kPrecisions; }

bool IsPrecision(std::string_view name) { return std::ranges::find(kPrecisions, name) != kPrecisions.end(); }

bool CanExport(std::string_view target, std::string_view precision, std::string* reason) {
  const auto refuse = [reason](std::string text) {
    if (reason != nullptr) *reason = std::move(text);
    return false;
  };
  if (FindTarget(target) == nullptr) {
    return refuse(fmt::format("there is no target '{}'; targets are {}", target, fmt::join(TargetNames(), ", ")));
  }
  if (!IsPrecision(precision)) {
    return refuse(
        fmt::format("there is no precision '{}'; precisions are {}", precision, fmt::join(kPrecisions, ", ")));
  }
  const std::vector<std::string_view> possible = PrecisionsOf(target);
  if (std::ranges::find(possible, precision) != possible.end()) return true;
  return refuse(fmt::format("{} cannot be made at {} by this version; it can at {}", target, precision,
                            fmt::join(possible, ", ")));
}

}  // namespace slipway
