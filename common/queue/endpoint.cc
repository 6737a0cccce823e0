#include "common/queue/endpoint.h"

#include <charconv>
#include <utility>

#include "common/base/error.h"
#include "common/queue/sentinels.h"
#include "common/queue/tls.h"

namespace slipway {
namespace {

constexpr std::string_view kSentinelPort = "26379";

absl::Status Malformed(std::string_view text) {
  return WithKind(InvalidArgument("--redis: Redis address \"{}\": must be unix:/PATH, HOST:PORT, rediss://HOST:PORT or "
                                  "sentinel:NAME@HOST:PORT,HOST:PORT…",
                                  text),
                  ErrorKind::kUsage);
}

bool RemovePrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool IsPort(std::string_view text) {
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port >= 1 && port <= 65535;
}

// "host:port", "[ipv6]:port"; without a port only if there is a default. Nothing for anything else.
std::optional<ServerAddress> ParseServer(std::string_view text, std::string_view default_port) {
  ServerAddress server;
  std::string_view rest;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    server.host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
  } else {
    const size_t colon = std::min(text.find(':'), text.size());
    server.host = text.substr(0, colon);
    rest = text.substr(colon);
  }
  server.port = rest.empty() ? default_port : rest.substr(1);
  const bool good = !server.host.empty() && (rest.empty() || rest.starts_with(':')) && IsPort(server.port) &&
                    server.host.find_first_of("@/,") == std::string::npos;
  if (!good) return std::nullopt;
  return server;
}

}  // namespace

std::string ServerAddress::ToString() const {
  return host.find(':') == std::string::npos ? host + ":" + port : "[" + host + "]:" + port;
}

absl::StatusOr<RedisAddress> RedisAddress::Parse(std::string_view text) {
  RedisAddress address;
  std::string_view rest = text;
  if (RemovePrefix(rest, "unix:")) {
    if (rest.empty()) return Malformed(text);
    address.unix_path = rest;
    return address;
  }
  if (RemovePrefix(rest, "sentinel:")) {
    const size_t at = rest.find('@');
    if (at == 0 || at == std::string_view::npos) return Malformed(text);
    address.master = rest.substr(0, at);
    for (rest.remove_prefix(at); !rest.empty();) {
      rest.remove_prefix(1);  // '@' or ','
      std::optional<ServerAddress> sentinel = ParseServer(rest.substr(0, rest.find(',')), kSentinelPort);
      if (!sentinel) return Malformed(text);
      address.sentinels.push_back(*std::move(sentinel));
      rest.remove_prefix(std::min(rest.size(), rest.find(',')));
    }
    return address;
  }
  if (rest.find('@') != std::string_view::npos) {  // not to be repeated in any log
    return WithKind(InvalidArgument("a Redis address holds no user and no password: they are given by --redis-user and "
                                    "--redis-password-file"),
                    ErrorKind::kUsage);
  }
  address.encrypted = RemovePrefix(rest, "rediss://");
  if (address.encrypted || RemovePrefix(rest, "redis://")) {
    if (rest.ends_with("/0")) rest.remove_suffix(2);  // the one database that we use
    if (rest.ends_with('/')) rest.remove_suffix(1);
  }
  std::optional<ServerAddress> server = ParseServer(rest, "");
  if (!server) return Malformed(text);
  address.server = *std::move(server);
  return address;
}

absl::StatusOr<Endpoint> MakeEndpoint(const QueueOptions& options) {
  ASSIGN_OR_RETURN(RedisAddress address, RedisAddress::Parse(options.address));
  Endpoint endpoint;
  endpoint.unix_path = std::move(address.unix_path);
  endpoint.server = std::move(address.server);
  endpoint.user = options.user;
  endpoint.password = options.password;
  if (options.tls.on || address.encrypted) {
    if (!endpoint.unix_path.empty())
      return WithKind(InvalidArgument("Redis address \"{}\": a Unix socket is not encrypted", options.address),
                      ErrorKind::kUsage);
    ASSIGN_OR_RETURN(endpoint.tls, TlsContext::Create(options.tls));
  }
  if (!options.user.empty() && options.password.empty())
    return WithKind(InvalidArgument("--redis-user {}: a user needs a password: name its file (--redis-password-file) "
                                    "or put it into SLIPWAY_REDIS_PASSWORD",
                                    options.user),
                    ErrorKind::kUsage);
  if (address.sentinels.empty()) return endpoint;
  std::vector<Endpoint> sentinels;
  for (ServerAddress& sentinel : address.sentinels) {
    sentinels.push_back({.server = std::move(sentinel),
                         .tls = endpoint.tls,
                         .user = options.sentinel_user,
                         .password = options.sentinel_password});
  }
  endpoint.sentinels = std::make_shared<Sentinels>(std::move(address.master), std::move(sentinels));
  return endpoint;
}

}  // namespace slipway
