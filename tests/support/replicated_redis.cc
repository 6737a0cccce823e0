#include "tests/support/replicated_redis.h"

#include <array>
#include <cstdio>
#include <functional>
#include <stdexcept>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/error.h"

namespace slipway {
namespace {

void Await(const std::string& what, const std::function<bool()>& condition) {
  for (const absl::Time patience = absl::Now() + absl::Seconds(60); !condition();
       absl::SleepFor(absl::Milliseconds(5))) {
    if (absl::Now() > patience) throw std::runtime_error("never: " + what);
  }
}

// The value of a line "<field>:<value>".
std::string Field(const std::string& text, const std::string& field) {
  const size_t at = text.find(field + ":");
  if (at == std::string::npos) return "";
  const size_t start = at + field.size() + 1;
  return text.substr(start, text.find_first_of("\r\n", start) - start);
}

}  // namespace

ReplicatedRedis::ReplicatedRedis(const ReplicationOptions& options) : options_(options) {
  const RedisOptions::Port port = options.encrypted ? RedisOptions::Port::kTls : RedisOptions::Port::kPlain;
  std::vector<std::string> config = options.config;
  config.insert(config.end(), options.servers_config.begin(), options.servers_config.end());
  config.push_back("masterauth " + options.password);
  if (options.encrypted) config.push_back("tls-replication yes");
  // A replica need not wait for a second one that might want the same copy.
  config.push_back("repl-diskless-sync-delay 0");
  servers_.push_back(
      std::make_unique<RedisServer>(RedisOptions{.password = options.password, .config = config, .port = port}));
  config.push_back(fmt::format("replicaof 127.0.0.1 {}", servers_[0]->port()));
  servers_.push_back(
      std::make_unique<RedisServer>(RedisOptions{.password = options.password, .config = config, .port = port}));
  Await("the replica is in step", [&] {
    return Field(Ask(*servers_[1], {"INFO", "replication"}), "master_link_status") == "up";
  });

  for (int i = 0; i < 3; ++i) StartSentinel();
  AwaitSentinels();
}

void ReplicatedRedis::StartSentinel() {
  std::vector<std::string> config = options_.config;
  if (options_.encrypted) config.push_back("tls-replication yes");
  for (const std::string& line : {fmt::format("monitor {} 127.0.0.1 {} 2", kMaster, servers_[0]->port()),
                                  fmt::format("auth-pass {} {}", kMaster, options_.password),
                                  fmt::format("down-after-milliseconds {} {}", kMaster, options_.down_after_ms),
                                  fmt::format("failover-timeout {} 5000", kMaster)})
    config.push_back("sentinel " + line);
  const RedisOptions::Port port = options_.encrypted ? RedisOptions::Port::kTls : RedisOptions::Port::kPlain;
  sentinels_.push_back(std::make_unique<RedisServer>(
      RedisOptions{.password = options_.password, .config = config, .port = port, .sentinel = true}));
}

void ReplicatedRedis::AwaitSentinels() {
  const std::string all = fmt::format("slaves=1,sentinels={}", sentinels_.size());
  for (const auto& sentinel : sentinels_) {
    Await("the sentinels know each other and the replica", [&] {
      const std::string info = Ask(*sentinel, {"INFO", "sentinel"});
      return info.find(all) != std::string::npos && info.find("status=ok") != std::string::npos;
    });
  }
}

RedisServer& ReplicatedRedis::AddSentinel() {
  StartSentinel();
  AwaitSentinels();
  return *sentinels_.back();
}

std::string ReplicatedRedis::address() const {
  std::string address = fmt::format("sentinel:{}@", kMaster);
  for (const auto& sentinel : sentinels_) address += (sentinel == sentinels_[0] ? "" : ",") + sentinel->tcp_address();
  return address;
}

RedisServer& ReplicatedRedis::master() {
  const std::string named = Ask(*sentinels_[0], {"SENTINEL", "GET-MASTER-ADDR-BY-NAME", kMaster});
  return named.find(std::to_string(servers_[0]->port())) != std::string::npos ? *servers_[0] : *servers_[1];
}

void ReplicatedRedis::FailOver() {
  RedisServer& before = master();
  Await("a sentinel begins", [&] { return Ask(*sentinels_[0], {"SENTINEL", "FAILOVER", kMaster}).starts_with("OK"); });
  for (const auto& sentinel : sentinels_) {
    Await("the sentinels name the other one", [&] {
      return Ask(*sentinel, {"SENTINEL", "GET-MASTER-ADDR-BY-NAME", kMaster}).find(std::to_string(before.port())) ==
             std::string::npos;
    });
  }
}

// By redis-cli: what is tested here is not the queue's own way of asking.
std::string ReplicatedRedis::Ask(const RedisServer& server, const std::vector<std::string>& command) const {
  std::string line = fmt::format("redis-cli --no-auth-warning -h 127.0.0.1 -p {} -a '{}'{}", server.port(),
                                 options_.password, options_.encrypted ? " --tls --insecure" : "");
  for (const std::string& argument : command) line += " '" + argument + "'";
  const std::unique_ptr<FILE, int (*)(FILE*)> output(::popen((line + " 2>&1").c_str(), "r"), &::pclose);
  if (output == nullptr) throw std::runtime_error("redis-cli does not start");
  std::string text;
  std::array<char, 4096> buffer;
  while (const size_t count = std::fread(buffer.data(), 1, buffer.size(), output.get()))
    text.append(buffer.data(), count);
  return text;
}

void ReplicatedRedis::AwaitReplicated() {
  RedisServer& from = master();
  const std::string told = Field(Ask(from, {"INFO", "replication"}), "master_repl_offset");
  Await("the replica has it all", [&] {
    const std::string has = Field(Ask(Other(from), {"INFO", "replication"}), "slave_repl_offset");
    return !has.empty() && std::stoll(has) >= std::stoll(told);
  });
}

void ReplicatedRedis::BreakReplication() {
  RedisServer& from = master();
  Ask(Other(from), {"CONFIG", "SET", "masterauth", "wrong"});
  Ask(from, {"CLIENT", "KILL", "TYPE", "replica"});
  Await("the replica has lost its master", [&] {
    return Field(Ask(Other(from), {"INFO", "replication"}), "master_link_status") == "down";
  });
}

}  // namespace slipway
