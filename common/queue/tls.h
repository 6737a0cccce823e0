// Encrypted streams: TLS 1.2 or newer by OpenSSL.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/queue/queue.h"
#include "common/queue/socket.h"

struct ssl_ctx_st;

namespace slipway {

// Thread-safe. Certificates that change on disk hold from the next connection on; while they cannot be read, or key and
// certificate do not fit, those read before do.
class TlsContext {
 public:
  // FAILED_PRECONDITION: a file is missing or not what it should be. INVALID_ARGUMENT: a certificate without its key.
  static absl::StatusOr<std::shared_ptr<TlsContext>> Create(const RedisTls& options);

  // Shakes hands with the server that is called `host` (a DNS name or an IP address, unless the options name another).
  // FAILED_PRECONDITION: its certificate is not to be trusted or another's, or it refuses ours. UNAVAILABLE: anything else.
  absl::StatusOr<std::unique_ptr<Stream>> Encrypt(UniqueFd socket, const std::string& host, absl::Time deadline);

 private:
  explicit TlsContext(RedisTls options) : options_(std::move(options)) {}
  // When the files were changed last.
  std::vector<std::filesystem::file_time_type> Times() const;
  std::shared_ptr<ssl_ctx_st> Current();

  const RedisTls options_;
  std::mutex mutex_;
  std::shared_ptr<ssl_ctx_st> context_;
  std::vector<std::filesystem::file_time_type> times_;
};

}  // namespace slipway
