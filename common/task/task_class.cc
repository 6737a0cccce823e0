#include "common/task/task_class.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace slipway {
namespace {

constexpr std::string_view kAny = "any", kCalculator = "onnxruntime";
constexpr std::string_view kRuntimes[] = {kCalculator, "litert", "ncnn"};
constexpr uint64_t kBuckets[] = {0, 8, 32};  // GiB; 0: what every slot has

std::string Name(std::string_view runtime, uint64_t bucket) {
  return bucket == 0 ? std::string(runtime) : fmt::format("{}+{}g", runtime, bucket);
}

uint64_t BytesOf(uint64_t bucket) { return bucket == 0 ? kLeastTaskMemory : bucket * kGiB; }

// "litert+8g" → litert, 8; of names that are not made here the whole and 0.
std::pair<std::string_view, uint64_t> Parts(std::string_view task_class) {
  const size_t plus = task_class.rfind('+');
  if (plus == std::string_view::npos || !task_class.ends_with('g')) return {task_class, 0};
  const std::string_view digits = task_class.substr(plus + 1, task_class.size() - plus - 2);
  uint64_t size = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9' || digits.size() > 9) return {task_class, 0};
    size = size * 10 + static_cast<uint64_t>(c - '0');
  }
  return {task_class.substr(0, plus), size};
}

}  // namespace

std::string TaskClass(std::string_view runtime, uint64_t memory) {
  const auto fits = std::ranges::find_if(kBuckets, [&](uint64_t bucket) { return memory <= BytesOf(bucket); });
  return Name(runtime.empty() ? kAny : runtime, fits == std::end(kBuckets) ? *std::rbegin(kBuckets) : *fits);
}

std::vector<std::string> ClassesOf(const std::vector<std::string>& runtimes, uint64_t memory) {
  const auto has = [&](std::string_view runtime) { return std::ranges::find(runtimes, runtime) != runtimes.end(); };
  std::vector<std::string> classes;
  for (const uint64_t bucket : kBuckets) {
    if (bucket > 0 && memory < BytesOf(bucket)) break;
    classes.push_back(Name(kAny, bucket));
    if (!has(kCalculator)) continue;
    for (const std::string_view runtime : kRuntimes) {
      if (has(runtime)) classes.push_back(Name(runtime, bucket));
    }
  }
  return classes;
}

std::vector<std::string> AllClasses() {
  return ClassesOf({std::begin(kRuntimes), std::end(kRuntimes)}, std::numeric_limits<uint64_t>::max());
}

bool HasMoreMemory(std::string_view offered, std::string_view task_class) {
  const auto [runtime, size] = Parts(offered);
  const auto [needed, least] = Parts(task_class);
  return runtime == needed && size > least;
}

}  // namespace slipway
