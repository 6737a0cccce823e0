#include "common/queue/redis_queue.h"

#include <algorithm>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/random.h"
#include "common/metrics/metrics.h"
#include "common/queue/plan.h"

namespace slipway {
namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(5);
constexpr size_t kWaiting = 64;

const metrics::Histogram kCalls("slipway_redis_call_seconds", "Time of a call to Redis, by script or command.",
                                {"call"});
const metrics::Counter kErrors("slipway_redis_errors_total", "Calls to Redis that failed, by script and code.",
                               {"call", "code"});

}  // namespace

std::string KeyPrefix(const QueueOptions& options) { return fmt::format("{{slipway:{}}}:v5:", options.shard); }

RedisQueue::RedisQueue(const QueueOptions& options, Endpoint endpoint)
    : options_(options),
      prefix_(KeyPrefix(options)),
      endpoint_(std::move(endpoint)),
      pool_(endpoint_, options.connections, LongestReconnectDelay(options.lease)),
      waiting_(endpoint_, kWaiting, LongestReconnectDelay(options.lease)) {}

void RedisQueue::Measure(std::string_view call, absl::Time start, const absl::Status& status) {
  kCalls.Since(start, {call});
  if (!status.ok()) kErrors.Add({call, absl::StatusCodeToString(status.code())});
}

absl::Status RedisQueue::Attempt(Pool& pool, absl::Time end, const Use& use) {
  // A connection may stand and be dead, so half of the time is left for another.
  const absl::Time begun = SteadyNow();
  for (bool again = false;; again = true) {
    const absl::Time deadline = again ? end : begun + (end - begun) / 2;
    absl::StatusOr<Pool::Borrowed> connection = pool.Borrow(deadline);
    if (!connection.ok()) {
      if (again || connection.status().code() != absl::StatusCode::kUnavailable) return connection.status();
      continue;
    }
    absl::Status status = use(**connection, deadline);
    // SCHEMA from a farm that this connection has opened: its keys are gone, and a new connection makes them.
    bool lost = (*connection)->broken() || status.code() == absl::StatusCode::kFailedPrecondition;
    if (lost) {
      (*connection)->Close();
      pool.CloseIdle();
    }
    if (status.ok() || !lost || again) return status;
  }
}

absl::StatusOr<Reply> RedisQueue::Execute(
    std::string_view call, const std::function<absl::StatusOr<Reply>(Connection&, absl::Time deadline)>& use) {
  const absl::Time start = metrics::Histogram::Now();
  absl::StatusOr<Reply> reply;
  const absl::Status status =
      Attempt(pool_, SteadyNow() + kCallTimeout, [&](Connection& connection, absl::Time deadline) {
        reply = use(connection, deadline);
        return reply.status();
      });
  if (!status.ok()) reply = status;  // or there was no connection to ask on
  Measure(call, start, reply.status());
  return reply;
}

absl::StatusOr<Reply> RedisQueue::RunScript(std::string_view name, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), Key("meta"));
  return Execute(name, [&](Connection& connection, absl::Time deadline) {
    return connection.Run(FindScript(name), arguments, deadline);
  });
}

absl::StatusOr<Reply> RedisQueue::RunCommand(std::vector<std::string> arguments) {
  return Execute(arguments[0],
                 [&](Connection& connection, absl::Time deadline) { return connection.Call(arguments, deadline); });
}

absl::StatusOr<RedisQueue::Replies> RedisQueue::RunTogether(Pool& pool, std::span<const Call> calls,
                                                            absl::Duration blocks) {
  std::vector<std::vector<std::string>> commands;
  for (const Call& call : calls) {
    std::vector<std::string>& command = commands.emplace_back();
    if (!call.script.empty()) command = {"EVALSHA", FindScript(call.script).sha1, "1", Key("meta")};
    command.insert(command.end(), call.arguments.begin(), call.arguments.end());
  }
  Replies replies;
  const absl::Time last = SteadyNow() + blocks + kCallTimeout;
  RETURN_IF_ERROR(Attempt(pool, last, [&](Connection& connection, absl::Time deadline) -> absl::Status {
    replies.clear();
    ASSIGN_OR_RETURN(std::vector<Reply> received, connection.CallAll(commands, deadline));
    for (size_t i = 0; i < calls.size(); ++i) {
      if (Text(received[i].get()).starts_with("NOSCRIPT") && IsError(received[i].get())) {
        replies.push_back(connection.Run(FindScript(calls[i].script), std::span(commands[i]).subspan(3), deadline));
      } else if (IsError(received[i].get())) {
        replies.emplace_back(connection.Refused(Text(received[i].get())));
      } else {
        replies.emplace_back(std::move(received[i]));
      }
      const absl::Status& status = replies.back().status();
      if (connection.broken() || status.code() == absl::StatusCode::kFailedPrecondition) return status;
    }
    return absl::OkStatus();
  }));
  return replies;
}

absl::Status RedisQueue::Ping() { return RunCommand({"PING"}).status(); }

absl::StatusOr<std::string> RedisQueue::FarmId() {
  RETURN_IF_ERROR(RunCommand({"HSETNX", Key("meta"), "farm", RandomHex(16)}).status());
  ASSIGN_OR_RETURN(Reply reply, RunCommand({"HGET", Key("meta"), "farm"}));
  const std::string id(Text(reply.get()));
  if (id.empty()) return Unavailable("Redis lost the farm's id");
  return id;
}

absl::Status RedisQueue::NoteStore(std::string_view file_system) {
  return RunCommand({"HSET", Key("meta"), "store", std::string(file_system)}).status();
}

absl::StatusOr<NotedStore> RedisQueue::Noted() {
  ASSIGN_OR_RETURN(const Reply reply, RunCommand({"HMGET", Key("meta"), "farm", "store"}));
  const auto fields = Elements(reply.get());
  if (fields.size() != 2 || IsNil(fields[0]) || IsNil(fields[1])) return NotedStore();
  return NotedStore{.farm = std::string(Text(fields[0])), .file_system = std::string(Text(fields[1]))};
}

namespace {

absl::Status CheckOptions(const QueueOptions& options) {
  bool plain_shard = !options.shard.empty() && options.shard.size() <= 16 &&
                     options.shard.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") == std::string::npos;
  if (!plain_shard) return InvalidArgument("shard \"{}\": must be 1 to 16 of a-z 0-9", options.shard);
  if (options.lease < absl::Milliseconds(10)) return InvalidArgument("a lease is 10 ms or more");
  if (options.max_attempts < 1) return InvalidArgument("max_attempts must be 1 or more");
  RETURN_IF_ERROR(CheckLimits("every tenant", options.limits));
  for (const auto& [tenant, limits] : options.tenants) RETURN_IF_ERROR(CheckLimits(tenant, limits));
  if (options.connections < 1) return InvalidArgument("connections must be 1 or more");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Queue>> ConnectQueue(const QueueOptions& options) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return WithKind(std::move(status), ErrorKind::kUsage);
  ASSIGN_OR_RETURN(Endpoint endpoint, MakeEndpoint(options));
  endpoint.meta_key = KeyPrefix(options) + "meta";
  auto queue = std::make_unique<RedisQueue>(options, std::move(endpoint));
  RETURN_IF_ERROR(queue->Ping());
  return queue;
}

}  // namespace slipway
