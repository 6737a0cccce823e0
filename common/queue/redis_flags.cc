#include "common/queue/redis_flags.h"

#include <cstdlib>

#include "common/base/error.h"
#include "common/base/file.h"

namespace slipway {
namespace {

absl::Status Usage(const absl::Status& status) { return WithKind(status, ErrorKind::kUsage); }

absl::StatusOr<std::string> ReadPassword(std::string_view flag, const std::string& file) {
  const absl::StatusOr<std::string> text = ReadFile(file);
  if (!text.ok()) return Usage(Annotate(text.status(), flag));
  return text->substr(0, text->find_first_of("\r\n"));
}

}  // namespace

absl::Status ReadRedisFlags(const RedisFlags& flags, QueueOptions& options) {
  options.address = flags.address;
  options.user = flags.user;
  options.sentinel_user = flags.sentinel_user;
  options.tls = flags.tls;
  if (flags.address.starts_with("rediss://")) options.tls.on = true;
  if (!options.tls.on && !(flags.tls.ca.empty() && flags.tls.certificate.empty() && flags.tls.key.empty() &&
                           flags.tls.server_name.empty())) {
    return Usage(
        InvalidArgument("--redis-tls-ca, -cert, -key and -name are of no use without --redis-tls or rediss://"));
  }
  if (!flags.password_file.empty()) {
    ASSIGN_OR_RETURN(options.password, ReadPassword("--redis-password-file", flags.password_file));
  } else if (const char* password = std::getenv("SLIPWAY_REDIS_PASSWORD")) {
    options.password = password;
  }
  if (!flags.sentinel_password_file.empty()) {
    ASSIGN_OR_RETURN(options.sentinel_password,
                     ReadPassword("--redis-sentinel-password-file", flags.sentinel_password_file));
  }
  return absl::OkStatus();
}

}  // namespace slipway
