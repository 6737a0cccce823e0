// The flags by which a daemon is told where its Redis is, the same for all of them.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "common/queue/queue.h"

namespace slipway {

struct RedisFlags {
  std::string address, user, password_file, sentinel_user, sentinel_password_file;
  RedisTls tls;
};

// Defines them on a CLI::App, each with its environment variable. `flags` must outlive the parsing.
template <typename App>
void DefineRedisFlags(App& app, RedisFlags& flags) {
  app.add_option("--redis", flags.address,
                 "Redis: HOST:PORT, unix:/PATH, rediss://HOST:PORT (encrypted) or sentinel:MASTER@HOST:PORT,HOST:PORT…")
      ->envname("SLIPWAY_REDIS")
      ->required();
  app.add_option("--redis-user", flags.user, "User of Redis' access control list (default: its default user)")
      ->envname("SLIPWAY_REDIS_USER");
  app.add_option("--redis-password-file", flags.password_file,
                 "File whose first line is the password (default: the variable SLIPWAY_REDIS_PASSWORD)")
      ->envname("SLIPWAY_REDIS_PASSWORD_FILE");
  app.add_flag("--redis-tls", flags.tls.on, "Encrypt the connections to Redis and its sentinels")
      ->envname("SLIPWAY_REDIS_TLS");
  app.add_option("--redis-tls-ca", flags.tls.ca, "PEM file of the authorities that are trusted (default: the system's)")
      ->envname("SLIPWAY_REDIS_TLS_CA");
  app.add_option("--redis-tls-cert", flags.tls.certificate, "PEM file of the certificate that is shown (default: none)")
      ->envname("SLIPWAY_REDIS_TLS_CERT");
  app.add_option("--redis-tls-key", flags.tls.key, "PEM file of that certificate's key")
      ->envname("SLIPWAY_REDIS_TLS_KEY");
  app.add_option("--redis-tls-name", flags.tls.server_name,
                 "Name that the servers' certificates must bear (default: the host that is connected to)")
      ->envname("SLIPWAY_REDIS_TLS_NAME");
  app.add_option("--redis-sentinel-user", flags.sentinel_user, "User at the sentinels")
      ->envname("SLIPWAY_REDIS_SENTINEL_USER");
  app.add_option("--redis-sentinel-password-file", flags.sentinel_password_file,
                 "File whose first line is the sentinels' password (default: none)")
      ->envname("SLIPWAY_REDIS_SENTINEL_PASSWORD_FILE");
}

// Puts them into `options` and reads the passwords. Errors (usage): a file that cannot be read, files for an encryption that
// is not asked for.
absl::Status ReadRedisFlags(const RedisFlags& flags, QueueOptions& options);

}  // namespace slipway
