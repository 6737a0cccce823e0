#include "convert/targets/convert.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "common/base/error.h"

namespace slipway {
namespace {

constexpr size_t kMaxNamed = 3;

struct NamedTarget {
  std::string_view name;
  const Target& (*get)();
};

constexpr std::array kTargets = {
    NamedTarget{"onnx", OnnxTarget},
    NamedTarget{"tflite", TfliteTarget},
    NamedTarget{"coreml", CoremlTarget},
    NamedTarget{"ncnn", NcnnTarget},
};

}  // namespace

const Target* FindTargetByName(std::string_view name) {
  const auto found = std::ranges::find(kTargets, name, &NamedTarget::name);
  return found == kTargets.end() ? nullptr : &found->get();
}

std::vector<absl::Status> BlockingNodes(const Target& target, const Graph& legalized, const TargetOptions& options) {
  std::vector<absl::Status> blocking;
  for (const auto& node : legalized.nodes()) {
    if (absl::Status status = target.Check(*node, options); !status.ok()) blocking.push_back(std::move(status));
  }
  return blocking;
}

absl::StatusOr<Emitted> ConvertTo(const Target& target, std::unique_ptr<Graph> graph, const TargetOptions& options,
                                  const std::filesystem::path& folder, std::unique_ptr<Graph>* legalized) {
  RETURN_IF_ERROR(target.Legalize(*graph, options));
  if (const std::vector<absl::Status> blocking = BlockingNodes(target, *graph, options); !blocking.empty()) {
    std::vector<std::string> named;
    for (size_t i = 0; i < std::min(blocking.size(), kMaxNamed); ++i) named.push_back(Message(blocking[i]));
    const std::string rest =
        blocking.size() > kMaxNamed ? fmt::format(" | and {} more", blocking.size() - kMaxNamed) : "";
    return absl::Status(blocking.front().code(),
                        fmt::format("{} cannot say {} node{}: {}{}", target.name(), blocking.size(),
                                    blocking.size() == 1 ? "" : "s", fmt::join(named, " | "), rest));
  }
  absl::StatusOr<Emitted> emitted = target.Emit(*graph, options, folder);
  if (emitted.ok() && legalized != nullptr) *legalized = std::move(graph);
  return emitted;
}

}  // namespace slipway
