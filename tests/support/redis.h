// A real redis-server for one test.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/base/file.h"

namespace slipway {

struct RedisOptions {
  std::string password;             // empty: none
  bool persistent = false;          // an append-only file, synced on every write: Kill9 and Restart lose nothing
  std::vector<std::string> config;  // further lines of redis.conf
  enum class Port { kNone, kPlain, kTls } port = Port::kNone;  // on 127.0.0.1, besides the Unix socket
  bool sentinel = false;                                       // of the masters that `config` names; only on its port
};

// On a Unix socket in a folder of its own. Killed with the test's process, and on destruction.
class RedisServer {
 public:
  // Runs once this returns; the test fails otherwise, by an exception with the server's last words.
  explicit RedisServer(const RedisOptions& options = {});
  ~RedisServer();

  std::string address() const;  // "unix:/…/redis.sock"
  std::string tcp_address() const { return "127.0.0.1:" + std::to_string(port_); }
  int port() const { return port_; }                                      // the same over restarts
  const std::filesystem::path& folder() const { return folder_.path(); }  // its own
  const std::string& password() const { return options_.password; }

  void Kill9();  // waits until it is dead
  void Stop();   // by SIGTERM, and waits
  void Signal(int signal) const;
  // Starts it again on the same socket and files, after Kill9 or Stop, and returns once it accepts connections.
  void Restart();
  // The same with further lines of configuration, and without waiting.
  void Start(const std::vector<std::string>& config);

 private:
  absl::Status Run();
  absl::Status Launch(const std::vector<std::string>& config);
  void End(int signal);

  const RedisOptions options_;
  TemporaryFolder folder_;
  int port_ = 0;
  pid_t pid_ = -1;
  UniqueFd output_;  // its log, which nobody reads once it is ready
};

}  // namespace slipway
