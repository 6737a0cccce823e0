// Framed messages between processes of one machine, over a connected Unix stream socket (a socketpair).
// Frame on the wire: u32 LE body length, u32 LE number of descriptors (sent with the first byte by SCM_RIGHTS), body.
// The body is JSON (UTF-8). The same protocol serves warm children, the zygote and the judge hosts.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/file.h"

namespace slipway {

struct Frame {
  std::string body;
  std::vector<UniqueFd> fds;
};

// One end of a connection. One thread may send while another receives; neither is re-entrant.
class Channel {
 public:
  static constexpr uint32_t kMaxBody = 64 << 20;  // bytes; a longer claim is DATA_LOSS
  static constexpr uint32_t kMaxFds = 128;        // a longer claim is DATA_LOSS

  Channel() = default;
  explicit Channel(UniqueFd socket) : socket_(std::move(socket)) {}
  // Two connected ends, close-on-exec.
  static absl::StatusOr<std::pair<Channel, Channel>> CreatePair();

  // `fds` are duplicated into the receiver; the sender keeps its own. UNAVAILABLE when the peer is gone.
  absl::Status Send(std::string_view body, const std::vector<int>& fds = {});
  // UNAVAILABLE at end of stream; DEADLINE_EXCEEDED when nothing began to arrive by `deadline`.
  absl::StatusOr<Frame> Receive(absl::Time deadline = absl::InfiniteFuture());

  int fd() const { return socket_.get(); }
  bool valid() const { return socket_.valid(); }
  void Close() { socket_.Reset(); }
  UniqueFd ReleaseSocket() { return std::move(socket_); }

 private:
  UniqueFd socket_;
};

}  // namespace slipway
