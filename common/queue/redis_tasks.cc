#include <algorithm>
#include <charconv>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/queue/plan.h"
#include "common/queue/records.h"
#include "common/queue/redis_queue.h"
#include "common/queue/states.h"

namespace slipway {
namespace {

constexpr absl::Duration kLongestWait = absl::Seconds(1);  // what a lost wake-up costs

// Fields of a record are lines.
absl::Status CheckLine(std::string_view what, std::string_view text, bool may_be_empty) {
  if (text.empty() && !may_be_empty) return InvalidArgument("{} is empty", what);
  if (text.size() <= 128 && text.find('\n') == std::string_view::npos) return absl::OkStatus();
  return InvalidArgument("{} must be one line of at most 128 bytes", what);
}

absl::StatusOr<CommitOutcome> Outcome(const redisReply* reply) {
  struct Row {
    std::string_view word;
    CommitOutcome outcome;
  };
  static constexpr Row kRows[] = {{"COMMITTED", CommitOutcome::kCommitted},
                                  {"ALREADY", CommitOutcome::kAlready},
                                  {"FENCED", CommitOutcome::kFenced},
                                  {"CANCELLED", CommitOutcome::kCancelled}};
  for (const Row& row : kRows) {
    if (row.word == Text(reply)) return row.outcome;
  }
  return Internal("Redis: a script answered \"{}\"", Text(reply));
}

template <typename T>
T ToNumber(std::string_view text) {
  T number{};
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

absl::StatusOr<std::optional<LeasedTask>> Leased(const redisReply* reply, const std::string& token) {
  if (IsNil(reply)) return std::optional<LeasedTask>();
  auto elements = Elements(reply);
  if (elements.size() != 8) return Internal("Redis: lease.lua answered {} elements", elements.size());
  LeasedTask task;
  task.request = Text(elements[0]);
  task.index = ToNumber<uint32_t>(Text(elements[1]));
  task.tenant = Text(elements[2]);
  task.spec = Text(elements[3]);
  task.token = token;
  task.attempt = ToNumber<int>(Text(elements[4]));
  task.prepare_result = Text(elements[5]);
  task.kills = ToNumber<int>(Text(elements[6]));
  task.task_class = Text(elements[7]);
  return std::optional<LeasedTask>(std::move(task));
}

}  // namespace

absl::StatusOr<RedisQueue::Call> RedisQueue::LeaseCall(const LeaseRequest& request) const {
  RETURN_IF_ERROR(CheckLine("the worker id", request.worker, false));
  RETURN_IF_ERROR(CheckLine("the token", request.token, false));
  Call call{"lease", {request.worker, request.token, std::to_string(absl::ToInt64Milliseconds(options_.lease))}};
  for (const std::string& task_class : request.classes) {
    RETURN_IF_ERROR(CheckClass(task_class));
    call.arguments.push_back(task_class);
  }
  return call;
}

absl::StatusOr<RedisQueue::Call> RedisQueue::CommitCall(const TaskCommit& commit) const {
  if (!IsTerminal(commit.state)) return InvalidArgument("a task cannot be committed as {}", Name(commit.state));
  RETURN_IF_ERROR(CheckLine("the token", commit.token, false));
  RETURN_IF_ERROR(CheckLine("the result's digest", commit.result, true));
  return Call{"commit",
              {commit.request, std::to_string(commit.index), commit.token, std::string(1, Letter(commit.state)),
               commit.result, RecordField(commit.reason)}};
}

absl::StatusOr<std::optional<LeasedTask>> RedisQueue::Lease(const LeaseRequest& request) {
  ASSIGN_OR_RETURN(Call call, LeaseCall(request));
  ASSIGN_OR_RETURN(const Reply reply, RunScript(call.script, std::move(call.arguments)));
  return Leased(reply.get(), request.token);
}

absl::StatusOr<std::optional<LeasedTask>> RedisQueue::AwaitLease(const LeaseRequest& request) {
  ASSIGN_OR_RETURN(Call lease, LeaseCall(request));
  if (request.classes.empty()) return InvalidArgument("there is no class to wait for");
  Call wait{"", {"BLPOP", Key("rouse:" + request.worker)}};
  for (const std::string& task_class : request.classes) wait.arguments.push_back(Key("wake:" + task_class));
  wait.arguments.push_back(std::to_string(absl::ToInt64Seconds(kLongestWait)));
  // The server runs the second command when the first, that blocks, has its answer.
  const Call calls[] = {std::move(wait), std::move(lease)};
  ASSIGN_OR_RETURN(const Replies replies, RunTogether(waiting_, calls, kLongestWait));
  for (const auto& reply : replies) RETURN_IF_ERROR(reply.status());  // who cannot wait must not ask without a pause
  return Leased(replies[1]->get(), request.token);
}

absl::Status RedisQueue::Rouse(const std::string& worker, int waits) {
  RETURN_IF_ERROR(CheckLine("the worker id", worker, false));
  Call push{"", {"LPUSH", Key("rouse:" + worker)}};
  push.arguments.resize(push.arguments.size() + static_cast<size_t>(waits), "1");
  const Call calls[] = {std::move(push), {"", {"PEXPIRE", Key("rouse:" + worker), "5000"}}};
  ASSIGN_OR_RETURN(const Replies replies, RunTogether(pool_, calls));
  return replies[0].status();
}

absl::StatusOr<CommitOutcome> RedisQueue::Commit(const TaskCommit& commit) {
  ASSIGN_OR_RETURN(Call call, CommitCall(commit));
  ASSIGN_OR_RETURN(const Reply reply, RunScript(call.script, std::move(call.arguments)));
  return Outcome(reply.get());
}

CommittedAndLeased RedisQueue::CommitAndLease(const TaskCommit& commit, const LeaseRequest& next) {
  const auto both = [](const absl::Status& status) { return CommittedAndLeased{status, status}; };
  absl::StatusOr<Call> call = CommitCall(commit), leasing = LeaseCall(next);
  if (!call.ok() || !leasing.ok()) return both(call.ok() ? leasing.status() : call.status());
  std::ranges::move(leasing->arguments, std::back_inserter(call->arguments));
  const absl::StatusOr<Reply> reply = RunScript("commit_and_lease", std::move(call->arguments));
  if (!reply.ok()) return both(reply.status());
  const auto answers = Elements(reply->get());
  if (answers.size() != 2) return both(Internal("Redis: commit_and_lease.lua answered {} elements", answers.size()));
  return {Outcome(answers[0]), Leased(answers[1], next.token)};
}

absl::StatusOr<CommitOutcome> RedisQueue::Return(const LeasedTask& task, const TaskReturn& how) {
  RETURN_IF_ERROR(CheckLine("the token", task.token, false));
  auto milliseconds = [](absl::Duration duration) {
    return std::to_string(
        absl::ToInt64Milliseconds(std::clamp<absl::Duration>(duration, absl::ZeroDuration(), absl::Hours(24))));
  };
  auto flag = [](bool set) { return set ? "1" : "0"; };
  ASSIGN_OR_RETURN(const Reply reply,
                   RunScript("return", {task.request, std::to_string(task.index), task.token, milliseconds(how.delay),
                                        flag(how.count_attempt), std::to_string(options_.max_attempts),
                                        RecordField(how.reason), milliseconds(how.elsewhere), flag(how.killed),
                                        flag(how.more_memory), milliseconds(options_.lease)}));
  return Outcome(reply.get());
}

absl::Status RedisQueue::Progress(const LeasedTask& task, const std::string& progress) {
  RETURN_IF_ERROR(CheckLine("the token", task.token, false));
  return RunScript("progress", {task.request, std::to_string(task.index), task.token, RecordField(progress)}).status();
}

absl::StatusOr<std::vector<std::string>> RedisQueue::Heartbeat(const WorkerView& self,
                                                               const std::vector<std::string>& tokens) {
  RETURN_IF_ERROR(CheckLine("the worker id", self.id, false));
  std::vector<std::string> arguments = {self.id, WorkerRecord(self),
                                        std::to_string(absl::ToInt64Milliseconds(options_.lease))};
  arguments.insert(arguments.end(), tokens.begin(), tokens.end());
  ASSIGN_OR_RETURN(Reply reply, RunScript("heartbeat", std::move(arguments)));
  std::vector<std::string> lost;
  for (const redisReply* token : Elements(reply.get())) lost.emplace_back(Text(token));
  return lost;
}

absl::Status RedisQueue::OnCancelled(std::function<void(const std::string& request)> callback) {
  ASSIGN_OR_RETURN(std::unique_ptr<Listener> listener,
                   Listener::Start(endpoint_, Key("cancelled"), std::move(callback)));
  std::lock_guard lock(listeners_mutex_);
  listeners_.push_back(std::move(listener));
  return absl::OkStatus();
}

absl::Status RedisQueue::RemoveWorker(const std::string& worker) {
  RETURN_IF_ERROR(RunCommand({"HDEL", Key("workers"), worker}).status());
  return RunCommand({"ZREM", Key("seen"), worker}).status();
}

}  // namespace slipway
