// One connection to Redis: RESP over a socket of our own (hiredis parses the replies), so that deadlines hold, a closed
// peer raises no SIGPIPE, and transport encryption has a place.
#pragma once

#include <hiredis/read.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/file.h"
#include "common/queue/script.h"

struct redisReply;

namespace slipway {

struct ReplyDeleter {
  void operator()(redisReply* reply) const;
};
using Reply = std::unique_ptr<redisReply, ReplyDeleter>;

// Reads of replies. An absent or differently typed element reads as "" or 0.
std::string_view Text(const redisReply* reply);
int64_t Number(const redisReply* reply);
std::span<redisReply* const> Elements(const redisReply* reply);
bool IsNil(const redisReply* reply);
bool IsError(const redisReply* reply);

// An error reply by its first word: LOADING, READONLY and the like UNAVAILABLE; OOM, FULL RESOURCE_EXHAUSTED; SCHEMA
// FAILED_PRECONDITION; GONE NOT_FOUND; EXISTS ALREADY_EXISTS; NOAUTH, WRONGPASS, NOPERM PERMISSION_DENIED; else INTERNAL.
absl::Status ErrorReply(std::string_view text);

struct Endpoint {
  std::string unix_path;  // or:
  std::string host, port;
  std::string password;  // empty: none
  std::string meta_key;  // where the farm's schema number is kept; empty: the farm is not looked at

  // "unix:/path", "host:port" or "[ipv6]:port"; else INVALID_ARGUMENT.
  static absl::StatusOr<Endpoint> Parse(std::string_view address);
};

// Not thread-safe. After an I/O error it is broken: every further call is UNAVAILABLE.
class Connection {
 public:
  // Connected and authenticated; the eviction policy is noeviction and the schema ours, else FAILED_PRECONDITION.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const Endpoint& endpoint, absl::Time deadline);

  // One command, one reply. Error replies become their Status.
  absl::StatusOr<Reply> Call(std::span<const std::string> arguments, absl::Time deadline);
  // EVALSHA, or EVAL where the server does not know the script. `keys_and_arguments`: the one key first.
  absl::StatusOr<Reply> Run(const Script& script, std::span<const std::string> keys_and_arguments, absl::Time deadline);

  // Several commands in one exchange: their replies in order, error replies as they are.
  absl::StatusOr<std::vector<Reply>> CallAll(std::span<const std::vector<std::string>> commands, absl::Time deadline);

  absl::Status Send(std::span<const std::string> arguments, absl::Time deadline);
  // The next reply, error replies as they are. DEADLINE_EXCEEDED leaves the connection whole.
  absl::StatusOr<Reply> Receive(absl::Time deadline);

  void Close() { socket_.Reset(); }         // from now on broken
  int fd() const { return socket_.get(); }  // to poll; -1 when broken
  bool broken() const { return !socket_.valid(); }
  const std::string& run_id() const { return run_id_; }  // of the server process

 private:
  struct ReaderDeleter {
    void operator()(redisReader* reader) const;
  };

  explicit Connection(UniqueFd socket);
  absl::Status Greet(const Endpoint& endpoint, absl::Time deadline);
  absl::Status Break(const absl::Status& status);

  UniqueFd socket_;
  std::unique_ptr<redisReader, ReaderDeleter> reader_;
  std::string run_id_;
};

// The value of "<field>:<value>" in a reply to INFO; "" without it.
std::string InfoField(std::string_view info, std::string_view field);

}  // namespace slipway
