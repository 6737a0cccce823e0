// Where Redis is, and how one comes in.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/queue/queue.h"

namespace slipway {

class Sentinels;
class TlsContext;

struct ServerAddress {
  std::string host;  // without brackets
  std::string port;

  std::string ToString() const;
  bool operator==(const ServerAddress&) const = default;
};

// QueueOptions::address, read.
struct RedisAddress {
  std::string unix_path;  // or:
  ServerAddress server;   // or:
  std::string master;     // by its name, known to:
  std::vector<ServerAddress> sentinels;
  bool encrypted = false;  // rediss://

  // INVALID_ARGUMENT (usage).
  static absl::StatusOr<RedisAddress> Parse(std::string_view text);
};

struct Endpoint {
  std::string unix_path;                 // or:
  ServerAddress server;                  // or:
  std::shared_ptr<Sentinels> sentinels;  // who know where the master is
  std::shared_ptr<TlsContext> tls;       // null: plain
  std::string user, password;            // empty: none
  std::string meta_key;                  // where the farm's schema number is kept; empty: the farm is not looked at
};

// Without a meta key. INVALID_ARGUMENT (usage); errors of TlsContext::Create. With sentinels, a thread looks after them for
// as long as one of its copies lives.
absl::StatusOr<Endpoint> MakeEndpoint(const QueueOptions& options);

}  // namespace slipway
