// Sockets with deadlines, for the connection to Redis.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/file.h"

namespace slipway {

// Non-blocking, close-on-exec sockets. UNAVAILABLE if nobody answers by the deadline; INVALID_ARGUMENT for a path that no
// Unix socket can have.
absl::StatusOr<UniqueFd> ConnectUnix(const std::string& path, absl::Time deadline);
absl::StatusOr<UniqueFd> ConnectTcp(const std::string& host, const std::string& port, absl::Time deadline);

// Waits for `events` of poll(2). DEADLINE_EXCEEDED.
absl::Status PollUntil(int fd, short events, absl::Time deadline);
absl::Status SendAll(int fd, std::string_view bytes, absl::Time deadline);
// At least one byte. UNAVAILABLE at end of stream.
absl::StatusOr<size_t> ReceiveSome(int fd, char* buffer, size_t size, absl::Time deadline);

}  // namespace slipway
