#include "common/queue/permissions.h"

#include <fmt/core.h>

namespace slipway {
namespace {

// Those of scripts, too: they run with their caller's permissions.
constexpr std::string_view kCommands[] = {
    "blpop",     "eval", "evalsha", "exists",      "get",  "hdel",  "hget",    "hgetall", "hincrby", "hkeys",
    "hmget",     "hset", "hsetnx",  "info",        "llen", "lpush", "pexpire", "ping",    "publish", "set",
    "subscribe", "time", "unlink",  "unsubscribe", "zadd", "zcard", "zrange",  "zrem",    "zscore",
};

constexpr std::string_view kOfScripts[] = {"ERR The user executing the script", "ERR ACL failure in script"};

bool Contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::string KeyRule(std::string_view shard) { return fmt::format("~{{slipway:{}}}:*", shard); }
std::string ChannelRule(std::string_view shard) { return fmt::format("&{{slipway:{}}}:*", shard); }

}  // namespace

std::span<const std::string_view> PermittedCommands() { return kCommands; }

std::string PermissionRules(std::string_view shard) {
  std::string rules = fmt::format("resetkeys {} resetchannels {} -@all", KeyRule(shard), ChannelRule(shard));
  for (std::string_view command : kCommands) rules += fmt::format(" +{}", command);
  return rules;
}

bool IsPermissionError(std::string_view reply) {
  if (reply.starts_with("NOPERM")) return true;
  for (std::string_view start : kOfScripts) {
    if (reply.starts_with(start)) return true;
  }
  return false;
}

std::string PermissionAdvice(std::string_view reply, std::string_view shard) {
  std::string missing;
  if (Contains(reply, "keys")) {
    missing = KeyRule(shard);
  } else if (Contains(reply, "channel")) {
    missing = ChannelRule(shard);
  } else if (const size_t quote = reply.find('\''); quote != std::string_view::npos && reply.starts_with("NOPERM")) {
    const std::string_view command = reply.substr(quote + 1);
    missing = fmt::format("+{}", command.substr(0, command.find('\'')));
  }
  return fmt::format("{}this farm's Redis user needs the rules: {}",
                     missing.empty() ? "" : fmt::format("{} is missing; ", missing), PermissionRules(shard));
}

}  // namespace slipway
