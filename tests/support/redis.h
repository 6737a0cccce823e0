// A real redis-server for one test.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/base/file.h"

namespace slipway {

struct RedisOptions {
  std::string password;             // empty: none
  bool persistent = false;          // an append-only file, synced on every write: Kill9 and Restart lose nothing
  std::vector<std::string> config;  // further lines of redis.conf
};

// On a Unix socket in a folder of its own. Killed with the test's process, and on destruction.
class RedisServer {
 public:
  // Runs once this returns; the test fails otherwise, by an exception with the server's last words.
  explicit RedisServer(const RedisOptions& options = {});
  ~RedisServer();

  std::string address() const;  // "unix:/…/redis.sock"
  const std::string& password() const { return options_.password; }

  void Kill9();  // waits until it is dead
  void Stop();   // by SIGTERM, and waits
  // Starts it again on the same socket and files, after Kill9 or Stop, and returns once it accepts connections.
  void Restart();

 private:
  absl::Status Run();
  void End(int signal);

  const RedisOptions options_;
  TemporaryFolder folder_;
  pid_t pid_ = -1;
  UniqueFd output_;  // its log, which nobody reads once it is ready
};

}  // namespace slipway
