// Where a server listens or is found.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace slipway {

struct Address {
  std::string path;  // of a Unix socket; empty for TCP
  std::string host;  // without brackets
  int port = 0;      // 0: any free one (only for listening)

  // "unix:/path" (at most 107 bytes of path), "host:port" or "[IPv6]:port". INVALID_ARGUMENT (usage) for anything else.
  static absl::StatusOr<Address> Parse(std::string_view text);

  bool is_unix() const { return !path.empty(); }
  // Whether only this machine's processes reach it: a Unix socket, "localhost", 127.0.0.0/8 or ::1.
  bool IsLocal() const;
  // As Parse() takes it.
  std::string ToString() const;
  // As gRPC takes it for listening and for connecting.
  std::string ListenTarget() const;
  std::string ConnectTarget() const;
};

}  // namespace slipway
