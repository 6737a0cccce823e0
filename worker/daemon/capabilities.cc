#include "worker/daemon/capabilities.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "common/base/log.h"
#include "worker/daemon/host_pool.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

struct Wheel {
  std::string_view prefix;   // of its folder of metadata
  std::string_view runtime;  // "": what every host needs
};
constexpr Wheel kWheels[] = {
    {"onnxruntime-", "onnxruntime"}, {"ai_edge_litert-", "litert"}, {"ncnn-", "ncnn"}, {"numpy-", ""}};

bool Has(std::string_view runtimes, std::string_view prefix) {
  return runtimes.starts_with(prefix) || runtimes.find("\n" + std::string(prefix)) != std::string_view::npos;
}

}  // namespace

std::string RuntimesOf(const fs::path& python) {
  const fs::path prefix = FindInPath(python).parent_path().parent_path();
  std::vector<std::string> found;
  std::error_code ignored;
  for (const auto& version : fs::directory_iterator(prefix / "lib", ignored)) {
    if (!version.path().filename().string().starts_with("python")) continue;
    for (const char* packages : {"site-packages", "dist-packages"}) {
      for (const auto& package : fs::directory_iterator(version.path() / packages, ignored)) {
        const std::string name = package.path().filename();
        const bool judges =
            std::ranges::any_of(kWheels, [&](const Wheel& wheel) { return name.starts_with(wheel.prefix); });
        if (judges && name.ends_with(".dist-info")) found.push_back(name + "\n");
      }
    }
  }
  std::ranges::sort(found);
  std::string text;
  for (const std::string& name : found) text += name;
  return text;
}

std::vector<std::string> JudgesOf(std::string_view runtimes) {
  std::vector<std::string> judges;
  for (const Wheel& wheel : kWheels) {
    if (!Has(runtimes, wheel.prefix)) {
      if (wheel.runtime.empty()) return {};
    } else if (!wheel.runtime.empty()) {
      judges.emplace_back(wheel.runtime);
    }
  }
  return judges;
}

void LogMissingJudges(const std::vector<std::string>& found, const std::filesystem::path& python) {
  std::vector<std::string> missing = {"onnxruntime", "litert", "ncnn"};
  std::erase_if(missing, [&](const std::string& runtime) { return std::ranges::count(found, runtime) > 0; });
  if (missing.empty()) return;
  LogWarning("takes no tasks of runtimes that are missing",
             {{"missing", fmt::format("{}", fmt::join(missing, ","))},
              {"python", python.string()},
              {"mend", "name the interpreter that has them by --python; `slipway doctor` checks it"}});
}

}  // namespace slipway
