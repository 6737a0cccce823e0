#include <algorithm>
#include <charconv>

#include "absl/time/clock.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "common/queue/changes.h"
#include "common/queue/plan.h"
#include "common/queue/records.h"
#include "common/queue/redis_queue.h"

namespace slipway {
namespace {

constexpr int64_t kCancelledPerCall = 2000;
constexpr int64_t kGoesOn = -2;  // cancel.lua's: others wait for the request
constexpr int64_t kRetriedPerCall = 1000;
constexpr int kReapedPerCall = 500;
constexpr uint32_t kTasksPerPage = 1000;
constexpr uint32_t kRequestsPerPage = 1000;
constexpr int kMostFlows = 10'000;  // that Depth counts
constexpr size_t kMostTold = 10;    // lost leases of a round
constexpr int kMostRounds = 100;    // of one Maintain; the next goes on

std::string Milliseconds(absl::Duration duration) { return std::to_string(absl::ToInt64Milliseconds(duration)); }

absl::Status NoRequest(const std::string& request) { return NotFound("request {} is not known", request); }

// The scripts' GONE, with the request's name.
absl::Status Named(const absl::Status& status, const std::string& request) {
  return status.code() == absl::StatusCode::kNotFound ? NoRequest(request) : status;
}

}  // namespace

absl::StatusOr<std::string> RedisQueue::Submit(const QueuedRequest& request) {
  RETURN_IF_ERROR(CheckRequest(request, options_));
  for (std::vector<std::string>& arguments : SubmitCalls(request, options_)) {
    absl::StatusOr<Reply> reply = RunScript("submit", std::move(arguments));
    if (reply.status().code() == absl::StatusCode::kNotFound)
      return Unavailable("request {} was dropped while it was being written: submit it again", request.id);
    RETURN_IF_ERROR(reply.status());
    auto elements = Elements(reply->get());
    if (elements.size() != 2) return Internal("Redis: submit.lua answered {} elements", elements.size());
    std::string id(Text(elements[0]));
    if (id != request.id) return id;
  }
  return request.id;
}

absl::StatusOr<std::optional<RequestView>> RedisQueue::FindEqual(const std::string& tenant,
                                                                 const std::string& request_digest) {
  ASSIGN_OR_RETURN(Reply reply, RunCommand({"GET", Key("shared:" + tenant + ":" + request_digest)}));
  if (IsNil(reply.get())) return std::nullopt;
  absl::StatusOr<RequestView> view = GetRequest(std::string(Text(reply.get())));
  if (absl::IsNotFound(view.status())) return std::nullopt;
  RETURN_IF_ERROR(view.status());
  return *std::move(view);
}

// Whether it goes on for others.
absl::StatusOr<bool> RedisQueue::CancelFor(const std::string& request, const std::string& waiter) {
  for (int64_t from = 0; from >= 0;) {
    absl::StatusOr<Reply> reply =
        RunScript("cancel", {request, std::to_string(from), std::to_string(kCancelledPerCall),
                             Milliseconds(std::max(options_.lease, absl::Seconds(1))), waiter});
    if (!reply.ok()) return Named(reply.status(), request);
    from = Number(reply->get());
    if (from == kGoesOn) return true;
  }
  return false;
}

absl::Status RedisQueue::Cancel(const std::string& request) { return CancelFor(request, "").status(); }

absl::StatusOr<bool> RedisQueue::Leave(const std::string& request, const std::string& idempotency_key) {
  if (idempotency_key.empty()) return InvalidArgument("who leaves a request must say under which key it was submitted");
  return CancelFor(request, idempotency_key);
}

absl::StatusOr<uint32_t> RedisQueue::Retry(const std::string& request) {
  const std::string token = RandomHex(16);
  while (true) {
    absl::StatusOr<Reply> reply = RunScript("retry", {request, token, std::to_string(kRetriedPerCall)});
    if (!reply.ok()) return Named(reply.status(), request);
    auto elements = Elements(reply->get());
    if (elements.size() != 2) return Internal("Redis: retry.lua answered {} elements", elements.size());
    if (Number(elements[0]) < 0) return static_cast<uint32_t>(Number(elements[1]));
  }
}

absl::Status RedisQueue::Delete(const std::string& request) {
  ASSIGN_OR_RETURN(Reply reply, RunScript("delete", {request}));
  if (Text(reply.get()) == "DELETED") return absl::OkStatus();
  return WithKind(FailedPrecondition("request {} has not ended: cancel it first", request), ErrorKind::kUsage);
}

absl::StatusOr<RequestView> RedisQueue::GetRequest(const std::string& request) {
  ASSIGN_OR_RETURN(Reply reply, RunCommand({"HMGET", Key("request:" + request), "st", "ab", "sp", "w"}));
  const auto fields = Elements(reply.get());
  if (fields.empty() || IsNil(fields[0])) return NoRequest(request);
  return ParseRequest(request, fields);
}

absl::StatusOr<std::vector<TaskView>> RedisQueue::ListTasks(const std::string& request, uint64_t since_version,
                                                            uint32_t limit) {
  std::vector<TaskView> tasks;
  while (tasks.size() < limit) {
    uint32_t wanted = std::min<uint32_t>(limit - tasks.size(), kTasksPerPage);
    absl::StatusOr<Reply> reply =
        RunScript("list_tasks", {request, std::to_string(since_version), std::to_string(wanted)});
    if (!reply.ok()) return Named(reply.status(), request);
    auto elements = Elements(reply->get());
    for (size_t i = 0; i + 2 < elements.size(); i += 3) {
      std::string_view text = Text(elements[i]);
      uint32_t index = 0;
      std::from_chars(text.data(), text.data() + text.size(), index);
      ASSIGN_OR_RETURN(TaskView task, ParseTask(index, Text(elements[i + 1]), Text(elements[i + 2])));
      since_version = std::max(since_version, task.version);
      tasks.push_back(std::move(task));
    }
    if (elements.size() / 3 < wanted) break;
  }
  return tasks;
}

absl::StatusOr<std::pair<std::vector<RequestView>, std::string>> RedisQueue::ListRequests(
    const std::string& tenant, uint32_t limit, const std::string& page_token) {
  if (limit == 0) return InvalidArgument("a page holds 1 request or more");
  if (page_token.size() > 18 || page_token.find_first_not_of("0123456789") != std::string::npos)
    return WithKind(InvalidArgument("page_token: it is none that List gave; leave it empty for the first page"),
                    ErrorKind::kUsage);
  limit = std::min(limit, kRequestsPerPage);
  ASSIGN_OR_RETURN(Reply reply, RunScript("list_requests", {tenant, page_token.empty() ? "+inf" : page_token,
                                                            std::to_string(limit + 1)}));
  std::pair<std::vector<RequestView>, std::string> page;
  uint64_t sequence = 0;
  for (const redisReply* entry : Elements(reply.get())) {
    if (page.first.size() == limit) {
      page.second = std::to_string(sequence);
      break;
    }
    auto fields = Elements(entry);
    if (fields.empty()) continue;
    ASSIGN_OR_RETURN(RequestView request, ParseRequest(std::string(Text(fields[0])), fields.subspan(1), &sequence));
    page.first.push_back(std::move(request));
  }
  return page;
}

std::unique_ptr<Changes> RedisQueue::FollowChanges(Changes::OnChange on_change) {
  return std::make_unique<RedisChanges>(endpoint_, Key("changes:"), std::move(on_change));
}

absl::StatusOr<std::vector<WorkerView>> RedisQueue::ListWorkers() {
  const Call calls[] = {{"", {"HGETALL", Key("workers")}}, {"", {"TIME"}}};
  ASSIGN_OR_RETURN(const Replies replies, RunTogether(pool_, calls));
  for (const absl::StatusOr<Reply>& reply : replies) RETURN_IF_ERROR(reply.status());
  int64_t now = 0;  // seconds
  const auto clock = Elements(replies[1]->get());
  const std::string_view seconds = clock.empty() ? "" : Text(clock[0]);
  std::from_chars(seconds.data(), seconds.data() + seconds.size(), now);
  std::vector<WorkerView> workers;
  auto elements = Elements(replies[0]->get());
  for (size_t i = 0; i + 1 < elements.size(); i += 2) {
    ASSIGN_OR_RETURN(WorkerView worker, ParseWorker(std::string(Text(elements[i])), Text(elements[i + 1])));
    worker.silent = std::max(absl::FromUnixSeconds(now) - worker.last_seen, absl::ZeroDuration());
    workers.push_back(std::move(worker));
  }
  std::sort(workers.begin(), workers.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return workers;
}

absl::StatusOr<QueueDepth> RedisQueue::Depth() {
  ASSIGN_OR_RETURN(Reply reply, RunScript("depth", {std::to_string(kMostFlows)}));
  auto elements = Elements(reply.get());
  if (elements.size() < 3) return Internal("Redis: depth.lua answered {} elements", elements.size());
  const auto count = [&](size_t i) { return static_cast<uint64_t>(std::max<int64_t>(0, Number(elements[i]))); };
  QueueDepth depth{.open = count(0), .running = count(1), .delayed = count(2)};
  for (size_t i = 3; i + 2 < elements.size(); i += 3) {
    depth.classes[std::string(Text(elements[i]))] = {.ready = count(i + 1), .oldest = absl::Milliseconds(count(i + 2))};
  }
  return depth;
}

absl::StatusOr<int> RedisQueue::MaintainOnce(bool& more) {
  ASSIGN_OR_RETURN(
      Reply reply, Execute("reap", [&](Connection& connection, absl::Time deadline) -> absl::StatusOr<Reply> {
        ASSIGN_OR_RETURN(Reply memory, connection.Call(std::vector<std::string>{"INFO", "memory"}, deadline));
        return connection.Run(FindScript("reap"),
                              std::vector<std::string>{
                                  Key("meta"), connection.run_id(), Milliseconds(options_.lease),
                                  std::to_string(options_.max_attempts), InfoField(Text(memory.get()), "used_memory"),
                                  InfoField(Text(memory.get()), "maxmemory"), std::to_string(kReapedPerCall)},
                              deadline);
      }));
  auto elements = Elements(reply.get());
  if (elements.size() < 3) return Internal("Redis: reap.lua answered {} elements", elements.size());
  more = Text(elements[1]) == "1";
  const auto lost = Elements(elements[2]);
  for (size_t i = 0; i + 2 < lost.size(); i += 3) {
    if (i / 3 == kMostTold) {
      LogWarning("more leases were lost", {{"leases", std::to_string((lost.size() - i) / 3)}});
      break;
    }
    LogWarning("a worker lost its lease", {{"request", std::string(Text(lost[i]))},
                                           {"task", std::string(Text(lost[i + 1]))},
                                           {"worker", std::string(Text(lost[i + 2]))}});
  }
  for (const redisReply* cancelled : elements.subspan(3)) {
    absl::Status status = Cancel(std::string(Text(cancelled)));
    if (!status.ok() && status.code() != absl::StatusCode::kNotFound) return status;
  }
  return static_cast<int>(Number(elements[0]));
}

absl::StatusOr<int> RedisQueue::Maintain() {
  int moved = 0;
  bool more = true;
  for (int round = 0; more && round < kMostRounds; ++round) {
    ASSIGN_OR_RETURN(int now, MaintainOnce(more));
    moved += now;
  }
  return moved;
}

}  // namespace slipway
