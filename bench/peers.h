// Other converters, as bench/peers.sh installs them.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace slipway {

struct Peer {
  std::string_view name;    // of its folder and its script
  std::string_view target;  // capabilities' name of the format it writes
};

std::span<const Peer> Peers();

// The command that converts `model` into `folder`, without these two arguments. FAILED_PRECONDITION with the reason when
// the peer is not installed under `peers`.
absl::StatusOr<std::vector<std::string>> PeerCommand(const Peer& peer, const std::filesystem::path& peers,
                                                     const std::filesystem::path& scripts);

}  // namespace slipway
