#include "common/queue/connection.h"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <charconv>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/retry_after.h"
#include "common/queue/permissions.h"
#include "common/queue/sentinels.h"
#include "common/queue/tls.h"

namespace slipway {
namespace {

constexpr std::string_view kSchema = "5";
constexpr std::string_view kPasswordAdvice =
    " Name the user and the password by --redis-user and --redis-password-file or SLIPWAY_REDIS_PASSWORD (of "
    "sentinels: "
    "--redis-sentinel-user, --redis-sentinel-password-file)";
constexpr absl::Duration kRetryWhenFull = absl::Seconds(2);

void AppendCount(std::string& bytes, char mark, size_t count) {
  char digits[24];
  bytes += mark;
  bytes.append(digits, std::to_chars(digits, digits + sizeof(digits), count).ptr);
  bytes += "\r\n";
}

std::string Format(std::span<const std::string> arguments) {
  std::string bytes;
  AppendCount(bytes, '*', arguments.size());
  for (const std::string& argument : arguments) {
    AppendCount(bytes, '$', argument.size());
    bytes += argument;
    bytes += "\r\n";
  }
  return bytes;
}

struct ErrorCode {
  std::string_view word;
  absl::StatusCode code;
  bool leave = false;  // this server is not the one to ask
};
constexpr ErrorCode kErrorCodes[] = {
    {"LOADING", absl::StatusCode::kUnavailable},
    {"READONLY", absl::StatusCode::kUnavailable, true},
    {"MASTERDOWN", absl::StatusCode::kUnavailable, true},
    {"MOVED", absl::StatusCode::kUnavailable, true},
    {"ASK", absl::StatusCode::kUnavailable},  // the farm's slot is being moved, and is nowhere whole
    {"TRYAGAIN", absl::StatusCode::kUnavailable},
    {"UNBLOCKED", absl::StatusCode::kUnavailable, true},  // it became a replica while we waited
    {"CLUSTERDOWN", absl::StatusCode::kUnavailable},
    {"NOREPLICAS", absl::StatusCode::kUnavailable},
    {"BUSY", absl::StatusCode::kUnavailable},
    {"MISCONF", absl::StatusCode::kUnavailable},
    {"SCHEMA", absl::StatusCode::kFailedPrecondition},
    {"GONE", absl::StatusCode::kNotFound},
    {"ENDING", absl::StatusCode::kUnavailable},
    {"EXISTS", absl::StatusCode::kAlreadyExists},
    {"NOAUTH", absl::StatusCode::kPermissionDenied},
    {"WRONGPASS", absl::StatusCode::kPermissionDenied},
};

std::string_view FirstWord(std::string_view text) { return text.substr(0, text.find(' ')); }

const ErrorCode* FindCode(std::string_view word) {
  for (const ErrorCode& entry : kErrorCodes) {
    if (entry.word == word) return &entry;
  }
  return nullptr;
}

// "MOVED <slot> <host>:<port>".
std::optional<ServerAddress> MovedTo(std::string_view text) {
  if (FirstWord(text) != "MOVED") return std::nullopt;
  const std::string_view address = text.substr(text.rfind(' ') + 1);
  const size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  return ServerAddress{std::string(address.substr(0, colon)), std::string(address.substr(colon + 1))};
}

// Of "{slipway:<shard>}:v5:meta".
std::string_view ShardOf(std::string_view meta_key) {
  const size_t colon = meta_key.find(':'), end = meta_key.find('}');
  return end == std::string_view::npos ? "SHARD" : meta_key.substr(colon + 1, end - colon - 1);
}

constexpr int kMostMoves = 4;
constexpr absl::Duration kLook = absl::Milliseconds(250);

}  // namespace

void ReplyDeleter::operator()(redisReply* reply) const { ::freeReplyObject(reply); }
void Connection::ReaderDeleter::operator()(redisReader* reader) const { ::redisReaderFree(reader); }

std::string_view Text(const redisReply* reply) {
  if (reply == nullptr || reply->str == nullptr) return "";
  return {reply->str, reply->len};
}

int64_t Number(const redisReply* reply) {
  return reply != nullptr && reply->type == REDIS_REPLY_INTEGER ? reply->integer : 0;
}

std::span<redisReply* const> Elements(const redisReply* reply) {
  if (reply == nullptr || reply->type != REDIS_REPLY_ARRAY) return {};
  return {reply->element, reply->elements};
}

bool IsNil(const redisReply* reply) { return reply == nullptr || reply->type == REDIS_REPLY_NIL; }

bool IsError(const redisReply* reply) { return reply != nullptr && reply->type == REDIS_REPLY_ERROR; }

absl::Status ErrorReply(std::string_view text) {
  const std::string_view word = FirstWord(text);
  // For whoever submitted, to whom Redis is nobody.
  if (word == "QUOTA") {
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    int64_t wait = 0;  // ms; 0: nobody knows; -1: never
    std::from_chars(text.data(), text.data() + text.size(), wait);
    text.remove_prefix(std::min(text.find(' ') + 1, text.size()));
    absl::Status refused = WithKind(ResourceExhausted("{}", text), wait < 0 ? ErrorKind::kUsage : ErrorKind::kMachine);
    return wait > 0 ? WithRetryAfter(std::move(refused), absl::Milliseconds(wait)) : refused;
  }
  if (word == "FULL" || word == "OOM") {
    const absl::Status full = ResourceExhausted(
        "the farm's queue is full ({}): it takes no new requests until some have ended and are deleted (slipway "
        "delete); its keeper can raise the maxmemory of its Redis",
        word == "OOM" ? "Redis: OOM" : "above 80 % of its memory");
    return WithRetryAfter(WithKind(full, ErrorKind::kMachine), kRetryWhenFull);
  }
  if (IsPermissionError(text))
    return WithKind(absl::PermissionDeniedError(fmt::format("Redis: {}", text)), ErrorKind::kMachine);
  if (const ErrorCode* known = FindCode(word)) {
    const std::string_view advice = known->code == absl::StatusCode::kPermissionDenied ? kPasswordAdvice : "";
    return WithKind(absl::Status(known->code, fmt::format("Redis: {}{}", text, advice)), ErrorKind::kMachine);
  }
  return Internal("Redis: {}", text);
}

Connection::Connection(const Endpoint& endpoint, std::unique_ptr<Stream> stream)
    : stream_(std::move(stream)), reader_(::redisReaderCreate()), user_(endpoint.user), meta_key_(endpoint.meta_key) {}

absl::StatusOr<std::unique_ptr<Connection>> Connection::Dial(const Endpoint& endpoint, const ServerAddress& server,
                                                             absl::Time deadline) {
  absl::StatusOr<UniqueFd> socket = endpoint.unix_path.empty() ? ConnectTcp(server.host, server.port, deadline)
                                                               : ConnectUnix(endpoint.unix_path, deadline);
  RETURN_IF_ERROR(socket.status());
  std::unique_ptr<Stream> stream;
  if (endpoint.tls == nullptr) {
    stream = MakePlainStream(*std::move(socket));
  } else {
    ASSIGN_OR_RETURN(stream, endpoint.tls->Encrypt(*std::move(socket), server.host, deadline));
  }
  std::unique_ptr<Connection> connection(new Connection(endpoint, std::move(stream)));
  RETURN_IF_ERROR(connection->Authenticate(endpoint, deadline));
  return connection;
}

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const Endpoint& endpoint, absl::Time deadline) {
  ServerAddress server = endpoint.server;
  uint64_t changes = 0;
  if (endpoint.sentinels != nullptr) {
    ASSIGN_OR_RETURN(const Sentinels::Master master, endpoint.sentinels->FindMaster(deadline));
    server = master.server;
    changes = master.changes;
  }
  for (int moves = 0;; ++moves) {
    absl::StatusOr<std::unique_ptr<Connection>> connection = Dial(endpoint, server, deadline);
    if (connection.ok()) {
      (*connection)->sentinels_ = endpoint.sentinels;
      (*connection)->changes_ = changes;
    }
    const absl::Status status = connection.ok() ? (*connection)->Greet(deadline) : connection.status();
    if (status.ok()) return connection;
    if (connection.ok() && (*connection)->moved_ && moves < kMostMoves) {
      const ServerAddress& moved = *(*connection)->moved_;
      if (!moved.host.empty()) server.host = moved.host;
      server.port = moved.port;
      continue;
    }
    if (endpoint.sentinels != nullptr) endpoint.sentinels->Doubt();
    return status;
  }
}

absl::Status Connection::Authenticate(const Endpoint& endpoint, absl::Time deadline) {
  if (endpoint.password.empty()) return absl::OkStatus();
  std::vector<std::string> command = {"AUTH", endpoint.password};
  if (!endpoint.user.empty()) command.insert(command.begin() + 1, endpoint.user);
  return Call(command, deadline).status();
}

absl::Status Connection::Greet(absl::Time deadline) {
  // Managed servers forbid CONFIG; INFO tells the policy as well. Several sections at once are of 7.0, as our scripts are.
  absl::StatusOr<Reply> reply = Call(std::vector<std::string>{"INFO", "server", "memory", "replication"}, deadline);
  if (reply.status().code() == absl::StatusCode::kInternal)
    return FailedPrecondition("this server is no Redis 7.0 or newer: {}", Message(reply.status()));
  RETURN_IF_ERROR(reply.status());
  const std::string_view info = Text(reply->get());
  run_id_ = InfoField(info, "run_id");
  if (const std::string policy = InfoField(info, "maxmemory_policy"); policy != "noeviction") {
    return FailedPrecondition("Redis would evict tasks when full: its maxmemory-policy is {}, set it to noeviction",
                              policy);
  }
  if (meta_key_.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Reply schema, Run(FindScript("open"), std::vector<std::string>{meta_key_}, deadline));
  // A replica that takes writes loses them.
  if (InfoField(info, "role") != "master") return Break(Unavailable("Redis: this server is a replica"));
  if (Text(schema.get()) == kSchema) return user_.empty() ? absl::OkStatus() : CheckPermissions(deadline);
  return FailedPrecondition(
      "the farm's keys in Redis are of schema {}, this program knows {}: end that farm with its own programs and "
      "delete its keys, "
      "or take another --shard",
      Text(schema.get()), kSchema);
}

absl::Status Connection::CheckPermissions(absl::Time deadline) {
  std::vector<std::string> arguments = {meta_key_};
  arguments.insert(arguments.end(), PermittedCommands().begin(), PermittedCommands().end());
  ASSIGN_OR_RETURN(const Reply reply, Run(FindScript("permissions"), arguments, deadline));
  if (Elements(reply.get()).empty()) return absl::OkStatus();
  std::string missing;
  for (const redisReply* command : Elements(reply.get())) missing += fmt::format(" +{}", Text(command));
  return WithKind(absl::PermissionDeniedError(fmt::format(
                      "Redis user {} may not do all that a farm needs: it lacks the commands{}, or may not use them on "
                      "the farm's keys and channels: {}",
                      user_, missing, PermissionAdvice("", ShardOf(meta_key_)))),
                  ErrorKind::kMachine);
}

bool Connection::broken() const {
  return stream_ == nullptr || (sentinels_ != nullptr && sentinels_->changes() != changes_);
}

absl::Status Connection::Refused(std::string_view error) {
  const absl::Status status = ErrorReply(error);
  if (status.code() == absl::StatusCode::kPermissionDenied && IsPermissionError(error)) {
    return WithKind(absl::PermissionDeniedError(
                        fmt::format("{}: {}", Message(status), PermissionAdvice(error, ShardOf(meta_key_)))),
                    ErrorKind::kMachine);
  }
  moved_ = MovedTo(error);
  const ErrorCode* known = FindCode(FirstWord(error));
  return known != nullptr && known->leave ? Break(status) : status;
}

absl::Status Connection::Break(const absl::Status& status) {
  stream_.reset();
  return status.code() == absl::StatusCode::kDeadlineExceeded ? Unavailable("{}", Message(status)) : status;
}

absl::Status Connection::Send(std::span<const std::string> arguments, absl::Time deadline) {
  if (broken()) return Unavailable("Redis: the connection is lost");
  absl::Status sent = stream_->SendAll(Format(arguments), deadline);
  return sent.ok() ? sent : Break(sent);
}

absl::StatusOr<Reply> Connection::Receive(absl::Time deadline) {
  if (broken()) return Unavailable("Redis: the connection is lost");
  while (true) {
    void* reply = nullptr;
    if (::redisReaderGetReply(reader_.get(), &reply) != REDIS_OK)
      return Break(Unavailable("Redis: it speaks another protocol: {}", reader_->errstr));
    if (reply != nullptr) return Reply(static_cast<redisReply*>(reply));
    char buffer[16384];
    // A master that fell silent may have been replaced meanwhile.
    const absl::Time look = sentinels_ == nullptr ? deadline : std::min(deadline, SteadyNow() + kLook);
    absl::StatusOr<size_t> received = stream_->ReceiveSome(buffer, sizeof(buffer), look);
    if (received.status().code() == absl::StatusCode::kDeadlineExceeded) {
      if (broken()) return Break(Unavailable("Redis: the sentinels name another master"));
      if (look < deadline) continue;
      return received.status();
    }
    if (!received.ok()) return Break(received.status());
    if (::redisReaderFeed(reader_.get(), buffer, *received) != REDIS_OK)
      return Break(Unavailable("Redis: {}", reader_->errstr));
  }
}

absl::StatusOr<Reply> Connection::Call(std::span<const std::string> arguments, absl::Time deadline) {
  RETURN_IF_ERROR(Send(arguments, deadline));
  absl::StatusOr<Reply> reply = Receive(deadline);
  // A late answer would be taken for the next command's.
  if (!reply.ok()) return Break(reply.status());
  if (IsError(reply->get())) return Refused(Text(reply->get()));
  return reply;
}

absl::StatusOr<Reply> Connection::Run(const Script& script, std::span<const std::string> keys_and_arguments,
                                      absl::Time deadline) {
  std::vector<std::string> command = {"EVALSHA", script.sha1, "1"};
  command.insert(command.end(), keys_and_arguments.begin(), keys_and_arguments.end());
  RETURN_IF_ERROR(Send(command, deadline));
  absl::StatusOr<Reply> reply = Receive(deadline);
  if (!reply.ok()) return Break(reply.status());
  if (!IsError(reply->get())) return reply;
  if (!Text(reply->get()).starts_with("NOSCRIPT")) return Refused(Text(reply->get()));
  command[0] = "EVAL";
  command[1] = script.text;
  return Call(command, deadline);
}

absl::StatusOr<std::vector<Reply>> Connection::CallAll(std::span<const std::vector<std::string>> commands,
                                                       absl::Time deadline) {
  if (broken()) return Unavailable("Redis: the connection is lost");
  std::string bytes;
  for (const std::vector<std::string>& command : commands) bytes += Format(command);
  if (absl::Status sent = stream_->SendAll(bytes, deadline); !sent.ok()) return Break(sent);
  std::vector<Reply> replies;
  while (replies.size() < commands.size()) {
    absl::StatusOr<Reply> reply = Receive(deadline);
    if (!reply.ok()) return Break(reply.status());
    replies.push_back(*std::move(reply));
  }
  return replies;
}

std::string InfoField(std::string_view info, std::string_view field) {
  while (!info.empty()) {
    std::string_view line = info.substr(0, info.find("\r\n"));
    info.remove_prefix(std::min(info.size(), line.size() + 2));
    if (line.starts_with(field) && line.substr(field.size()).starts_with(":"))
      return std::string(line.substr(field.size() + 1));
  }
  return "";
}

}  // namespace slipway
