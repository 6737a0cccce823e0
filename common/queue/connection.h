// One connection to Redis: RESP over a stream of our own (hiredis parses the replies), so that deadlines hold, a closed
// peer raises no SIGPIPE, and the stream may be encrypted.
#pragma once

#include <hiredis/read.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/queue/endpoint.h"
#include "common/queue/script.h"
#include "common/queue/socket.h"

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

// An error reply by its first word: LOADING, READONLY, MOVED and the like UNAVAILABLE; OOM, FULL RESOURCE_EXHAUSTED; SCHEMA
// FAILED_PRECONDITION; GONE NOT_FOUND; EXISTS ALREADY_EXISTS; NOAUTH, WRONGPASS, missing permissions PERMISSION_DENIED;
// else INTERNAL.
absl::Status ErrorReply(std::string_view text);

// Not thread-safe. After an I/O error it is broken: every further call is UNAVAILABLE. So it is after a reply that says that
// this server is not the one to ask (any more), and when the sentinels name another master than they did when it was made.
class Connection {
 public:
  // Connected and authenticated, to the master that the sentinels name, to the cluster's node that has the farm's keys.
  // UNAVAILABLE if it is a replica. FAILED_PRECONDITION unless the eviction policy is noeviction and the schema ours.
  // PERMISSION_DENIED if the user lacks a permission, with the rules that it needs.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const Endpoint& endpoint, absl::Time deadline);
  // To this server, encrypted and authenticated as the endpoint says, and nothing asked of it.
  static absl::StatusOr<std::unique_ptr<Connection>> Dial(const Endpoint& endpoint, const ServerAddress& server,
                                                          absl::Time deadline);

  // One command, one reply. Error replies become their Status.
  absl::StatusOr<Reply> Call(std::span<const std::string> arguments, absl::Time deadline);
  // EVALSHA, or EVAL where the server does not know the script. `keys_and_arguments`: the one key first.
  absl::StatusOr<Reply> Run(const Script& script, std::span<const std::string> keys_and_arguments, absl::Time deadline);

  // Several commands in one exchange: their replies in order, error replies as they are.
  absl::StatusOr<std::vector<Reply>> CallAll(std::span<const std::vector<std::string>> commands, absl::Time deadline);

  absl::Status Send(std::span<const std::string> arguments, absl::Time deadline);
  // The next reply, error replies as they are. DEADLINE_EXCEEDED leaves the connection whole.
  absl::StatusOr<Reply> Receive(absl::Time deadline);

  // What an error reply that Receive gave means: ErrorReply, with advice. The connection is broken after one that says that
  // this server is not the one to ask.
  absl::Status Refused(std::string_view error);

  void Close() { stream_.reset(); }                                   // from now on broken
  int fd() const { return stream_ == nullptr ? -1 : stream_->fd(); }  // to poll; -1 when broken
  bool broken() const;
  const std::string& run_id() const { return run_id_; }  // of the server process

 private:
  struct ReaderDeleter {
    void operator()(redisReader* reader) const;
  };

  Connection(const Endpoint& endpoint, std::unique_ptr<Stream> stream);
  absl::Status Authenticate(const Endpoint& endpoint, absl::Time deadline);
  absl::Status Greet(absl::Time deadline);
  absl::Status CheckPermissions(absl::Time deadline);
  absl::Status Break(const absl::Status& status);

  std::unique_ptr<Stream> stream_;
  std::unique_ptr<redisReader, ReaderDeleter> reader_;
  const std::string user_, meta_key_;
  std::shared_ptr<Sentinels> sentinels_;  // null: nobody names another server
  uint64_t changes_ = 0;                  // of the sentinels, when they named this server
  std::string run_id_;
  std::optional<ServerAddress> moved_;  // where a cluster's node said that the farm's keys are; "": its own host
};

// The value of "<field>:<value>" in a reply to INFO; "" without it.
std::string InfoField(std::string_view info, std::string_view field);

}  // namespace slipway
