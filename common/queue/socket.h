// Sockets with deadlines, for the connection to Redis.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/file.h"

namespace slipway {

// The bytes of a connected socket, plain or encrypted (tls.h). Not thread-safe. A peer that has closed raises no SIGPIPE.
class Stream {
 public:
  virtual ~Stream() = default;
  // After an error the stream is of no use any more.
  virtual absl::Status SendAll(std::string_view bytes, absl::Time deadline) = 0;
  // At least one byte. UNAVAILABLE at end of stream. DEADLINE_EXCEEDED leaves the stream whole: all that has arrived has
  // then been given, so the descriptor can be polled for more.
  virtual absl::StatusOr<size_t> ReceiveSome(char* buffer, size_t size, absl::Time deadline) = 0;
  virtual int fd() const = 0;
};

std::unique_ptr<Stream> MakePlainStream(UniqueFd socket);

// Non-blocking, close-on-exec sockets. UNAVAILABLE if nobody answers by the deadline; INVALID_ARGUMENT for a path that no
// Unix socket can have.
absl::StatusOr<UniqueFd> ConnectUnix(const std::string& path, absl::Time deadline);
absl::StatusOr<UniqueFd> ConnectTcp(const std::string& host, const std::string& port, absl::Time deadline);

// Waits for `events` of poll(2). DEADLINE_EXCEEDED.
absl::Status PollUntil(int fd, short events, absl::Time deadline);

}  // namespace slipway
