#include "bench/peers.h"

#include <array>
#include <fstream>

#include "common/base/error.h"

namespace slipway {
namespace {

constexpr std::array kPeers = {
    Peer{"onnx2tf", "tflite"},
    Peer{"pnnx", "ncnn"},
    Peer{"onnx2coreml", "coreml"},
    Peer{"coremltools", "coreml"},
};

}  // namespace

std::span<const Peer> Peers() { return kPeers; }

absl::StatusOr<std::vector<std::string>> PeerCommand(const Peer& peer, const std::filesystem::path& peers,
                                                     const std::filesystem::path& scripts) {
  const std::filesystem::path folder = peers / peer.name;
  std::error_code ignored;
  if (std::string reason; std::getline(std::ifstream(folder / "absent"), reason)) {
    return FailedPrecondition("{}", reason);
  }
  if (!std::filesystem::exists(folder / "installed", ignored)) {
    return FailedPrecondition("not installed; run bench/peers.sh");
  }
  return std::vector<std::string>{folder / "bin" / "python", scripts / fmt::format("run_{}.py", peer.name)};
}

}  // namespace slipway
