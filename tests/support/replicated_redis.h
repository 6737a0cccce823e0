// A Redis master, its replica, and three sentinels that watch them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/support/redis.h"

namespace slipway {

struct ReplicationOptions {
  std::string password = "secret";  // of all five
  int down_after_ms = 60'000;       // of silence, until the sentinels put the replica in a master's place
  bool encrypted = false;
  std::vector<std::string> config;          // further lines of redis.conf, of all five
  std::vector<std::string> servers_config;  // and of master and replica alone
};

// On ports of 127.0.0.1. Failures throw.
class ReplicatedRedis {
 public:
  static constexpr const char* kMaster = "farm";  // as the sentinels call it

  // Once this returns the replica is in step and the sentinels know each other.
  explicit ReplicatedRedis(const ReplicationOptions& options = {});

  std::string address() const;  // "sentinel:farm@127.0.0.1:…"
  // Whom the sentinels name now, and the other one.
  RedisServer& master();
  RedisServer& replica() { return Other(master()); }
  RedisServer& Other(const RedisServer& server) { return &server == servers_[0].get() ? *servers_[1] : *servers_[0]; }
  RedisServer& sentinel(int i) { return *sentinels_[i]; }
  // One more. Returns when all of them know each other and the replica.
  RedisServer& AddSentinel();
  // Has a sentinel put the replica in the master's place, whether or not that one is well. Returns when they name it.
  void FailOver();

  // A command to one of the five: its reply as text, an array's elements one a line.
  std::string Ask(const RedisServer& server, const std::vector<std::string>& command) const;
  // Until all that the master was told has reached the replica.
  void AwaitReplicated();
  // From now on nothing does.
  void BreakReplication();

 private:
  void StartSentinel();
  void AwaitSentinels();

  const ReplicationOptions options_;
  std::vector<std::unique_ptr<RedisServer>> servers_;
  std::vector<std::unique_ptr<RedisServer>> sentinels_;
};

}  // namespace slipway
