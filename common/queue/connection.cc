#include "common/queue/connection.h"

#include <hiredis/hiredis.h>

#include <charconv>

#include "common/base/error.h"
#include "common/queue/socket.h"

namespace slipway {
namespace {

constexpr std::string_view kSchema = "2";

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
};
constexpr ErrorCode kErrorCodes[] = {
    {"LOADING", absl::StatusCode::kUnavailable},       {"READONLY", absl::StatusCode::kUnavailable},
    {"MASTERDOWN", absl::StatusCode::kUnavailable},    {"NOREPLICAS", absl::StatusCode::kUnavailable},
    {"BUSY", absl::StatusCode::kUnavailable},          {"TRYAGAIN", absl::StatusCode::kUnavailable},
    {"CLUSTERDOWN", absl::StatusCode::kUnavailable},   {"MISCONF", absl::StatusCode::kUnavailable},
    {"OOM", absl::StatusCode::kResourceExhausted},     {"FULL", absl::StatusCode::kResourceExhausted},
    {"SCHEMA", absl::StatusCode::kFailedPrecondition}, {"GONE", absl::StatusCode::kNotFound},
    {"ENDING", absl::StatusCode::kUnavailable},        {"EXISTS", absl::StatusCode::kAlreadyExists},
    {"NOAUTH", absl::StatusCode::kPermissionDenied},   {"WRONGPASS", absl::StatusCode::kPermissionDenied},
    {"NOPERM", absl::StatusCode::kPermissionDenied},
};

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
  std::string_view word = text.substr(0, text.find(' '));
  // For whoever submitted, to whom Redis is nobody.
  if (word == "QUOTA") return WithKind(ResourceExhausted("{}", text.substr(word.size() + 1)), ErrorKind::kMachine);
  for (const ErrorCode& entry : kErrorCodes) {
    if (entry.word == word)
      return WithKind(absl::Status(entry.code, fmt::format("Redis: {}", text)), ErrorKind::kMachine);
  }
  return Internal("Redis: {}", text);
}

absl::StatusOr<Endpoint> Endpoint::Parse(std::string_view address) {
  Endpoint endpoint;
  constexpr std::string_view kUnix = "unix:";
  if (address.starts_with(kUnix) && address.size() > kUnix.size()) {
    endpoint.unix_path = address.substr(kUnix.size());
    return endpoint;
  }
  size_t colon = address.rfind(':');
  if (colon != std::string_view::npos && colon > 0 && colon + 1 < address.size()) {
    endpoint.host = address.substr(0, colon);
    endpoint.port = address.substr(colon + 1);
    if (endpoint.host.starts_with('[') && endpoint.host.ends_with(']'))
      endpoint.host = endpoint.host.substr(1, endpoint.host.size() - 2);
    if (endpoint.port.find_first_not_of("0123456789") == std::string::npos) return endpoint;
  }
  return InvalidArgument("Redis address \"{}\": must be unix:/path or host:port", address);
}

Connection::Connection(UniqueFd socket) : socket_(std::move(socket)), reader_(::redisReaderCreate()) {}

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const Endpoint& endpoint, absl::Time deadline) {
  absl::StatusOr<UniqueFd> socket = endpoint.unix_path.empty() ? ConnectTcp(endpoint.host, endpoint.port, deadline)
                                                               : ConnectUnix(endpoint.unix_path, deadline);
  RETURN_IF_ERROR(socket.status());
  std::unique_ptr<Connection> connection(new Connection(*std::move(socket)));
  RETURN_IF_ERROR(connection->Greet(endpoint, deadline));
  return connection;
}

absl::Status Connection::Greet(const Endpoint& endpoint, absl::Time deadline) {
  if (!endpoint.password.empty())
    RETURN_IF_ERROR(Call(std::vector<std::string>{"AUTH", endpoint.password}, deadline).status());
  ASSIGN_OR_RETURN(Reply server, Call(std::vector<std::string>{"INFO", "server"}, deadline));
  run_id_ = InfoField(Text(server.get()), "run_id");
  // Managed servers forbid CONFIG; INFO tells the policy as well.
  ASSIGN_OR_RETURN(Reply memory, Call(std::vector<std::string>{"INFO", "memory"}, deadline));
  std::string policy = InfoField(Text(memory.get()), "maxmemory_policy");
  if (policy != "noeviction") {
    return FailedPrecondition("Redis would evict tasks when full: its maxmemory-policy is {}, set it to noeviction",
                              policy);
  }
  if (endpoint.meta_key.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(Reply schema, Run(FindScript("open"), std::vector<std::string>{endpoint.meta_key}, deadline));
  if (Text(schema.get()) == kSchema) return absl::OkStatus();
  return FailedPrecondition(
      "the farm's keys in Redis are of schema {}, this program knows {}: end that farm with its own programs and "
      "delete its keys, "
      "or take another --shard",
      Text(schema.get()), kSchema);
}

absl::Status Connection::Break(const absl::Status& status) {
  socket_.Reset();
  return status.code() == absl::StatusCode::kDeadlineExceeded ? Unavailable("{}", Message(status)) : status;
}

absl::Status Connection::Send(std::span<const std::string> arguments, absl::Time deadline) {
  if (broken()) return Unavailable("Redis: the connection is lost");
  absl::Status sent = SendAll(socket_.get(), Format(arguments), deadline);
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
    absl::StatusOr<size_t> received = ReceiveSome(socket_.get(), buffer, sizeof(buffer), deadline);
    if (received.status().code() == absl::StatusCode::kDeadlineExceeded) return received.status();
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
  if (IsError(reply->get())) return ErrorReply(Text(reply->get()));
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
  if (!Text(reply->get()).starts_with("NOSCRIPT")) return ErrorReply(Text(reply->get()));
  command[0] = "EVAL";
  command[1] = script.text;
  return Call(command, deadline);
}

absl::StatusOr<std::vector<Reply>> Connection::CallAll(std::span<const std::vector<std::string>> commands,
                                                       absl::Time deadline) {
  if (broken()) return Unavailable("Redis: the connection is lost");
  std::string bytes;
  for (const std::vector<std::string>& command : commands) bytes += Format(command);
  if (absl::Status sent = SendAll(socket_.get(), bytes, deadline); !sent.ok()) return Break(sent);
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
