#include <algorithm>
#include <charconv>

#include "absl/time/clock.h"
#include "common/base/error.h"
#include "common/queue/plan.h"
#include "common/queue/records.h"
#include "common/queue/redis_queue.h"
#include "common/queue/states.h"

namespace slipway {
namespace {

constexpr absl::Duration kLongestWait = absl::Seconds(1);  // what a lost wake-up costs
constexpr absl::Duration kAnswer = absl::Seconds(5);       // for the server to answer after that

// Fields of a record are lines.
absl::Status CheckLine(std::string_view what, std::string_view text, bool may_be_empty) {
  if (text.empty() && !may_be_empty) return InvalidArgument("{} is empty", what);
  if (text.size() <= 128 && text.find('\n') == std::string_view::npos) return absl::OkStatus();
  return InvalidArgument("{} must be one line of at most 128 bytes", what);
}

absl::StatusOr<CommitOutcome> Outcome(const absl::StatusOr<Reply>& reply) {
  struct Row {
    std::string_view word;
    CommitOutcome outcome;
  };
  static constexpr Row kRows[] = {{"COMMITTED", CommitOutcome::kCommitted},
                                  {"ALREADY", CommitOutcome::kAlready},
                                  {"FENCED", CommitOutcome::kFenced},
                                  {"CANCELLED", CommitOutcome::kCancelled}};
  RETURN_IF_ERROR(reply.status());
  for (const Row& row : kRows) {
    if (row.word == Text(reply->get())) return row.outcome;
  }
  return Internal("Redis: a script answered \"{}\"", Text(reply->get()));
}

template <typename T>
T ToNumber(std::string_view text) {
  T number{};
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

absl::StatusOr<std::optional<LeasedTask>> RedisQueue::Lease(const LeaseRequest& request) {
  RETURN_IF_ERROR(CheckLine("the worker id", request.worker, false));
  RETURN_IF_ERROR(CheckLine("the token", request.token, false));
  std::vector<std::string> arguments = {request.worker, request.token,
                                        std::to_string(absl::ToInt64Milliseconds(options_.lease))};
  for (const std::string& task_class : request.classes) {
    RETURN_IF_ERROR(CheckClass(task_class));
    arguments.push_back(task_class);
  }
  ASSIGN_OR_RETURN(Reply reply, RunScript("lease", std::move(arguments)));
  if (IsNil(reply.get())) return std::optional<LeasedTask>();
  auto elements = Elements(reply.get());
  if (elements.size() != 7) return Internal("Redis: lease.lua answered {} elements", elements.size());
  LeasedTask task;
  task.request = Text(elements[0]);
  task.index = ToNumber<uint32_t>(Text(elements[1]));
  task.tenant = Text(elements[2]);
  task.spec = Text(elements[3]);
  task.token = request.token;
  task.attempt = ToNumber<int>(Text(elements[4]));
  task.prepare_result = Text(elements[5]);
  task.kills = ToNumber<int>(Text(elements[6]));
  return std::optional<LeasedTask>(std::move(task));
}

absl::Status RedisQueue::WaitForWork(const std::vector<std::string>& classes, absl::Time deadline) {
  absl::Duration wait = std::min(deadline - absl::Now(), kLongestWait);
  if (wait <= absl::ZeroDuration()) return absl::OkStatus();
  if (classes.empty()) return InvalidArgument("there is no class to wait for");
  std::vector<std::string> command = {"BLPOP"};
  for (const std::string& task_class : classes) {
    RETURN_IF_ERROR(CheckClass(task_class));
    command.push_back(Key("wake:" + task_class));
  }
  // 0 would wait for ever.
  command.push_back(fmt::format("{:.3f}", std::max(0.001, absl::ToDoubleSeconds(wait))));
  absl::Time answer_by = absl::Now() + wait + kAnswer;
  for (bool again = false;; again = true) {
    ASSIGN_OR_RETURN(Pool::Borrowed connection, waiting_.Borrow(answer_by));
    absl::Status status = connection->Call(command, answer_by).status();
    if (!connection->broken() || again) return status;
    waiting_.CloseIdle();
  }
}

absl::StatusOr<CommitOutcome> RedisQueue::Commit(const TaskCommit& commit) {
  if (!IsTerminal(commit.state)) return InvalidArgument("a task cannot be committed as {}", Name(commit.state));
  RETURN_IF_ERROR(CheckLine("the token", commit.token, false));
  RETURN_IF_ERROR(CheckLine("the result's digest", commit.result, true));
  return Outcome(
      RunScript("commit", {commit.request, std::to_string(commit.index), commit.token,
                           std::string(1, Letter(commit.state)), commit.result, RecordField(commit.reason)}));
}

absl::StatusOr<CommitOutcome> RedisQueue::Return(const LeasedTask& task, const TaskReturn& how) {
  RETURN_IF_ERROR(CheckLine("the token", task.token, false));
  auto milliseconds = [](absl::Duration duration) {
    return std::to_string(
        absl::ToInt64Milliseconds(std::clamp<absl::Duration>(duration, absl::ZeroDuration(), absl::Hours(24))));
  };
  auto flag = [](bool set) { return set ? "1" : "0"; };
  return Outcome(RunScript(
      "return", {task.request, std::to_string(task.index), task.token, milliseconds(how.delay), flag(how.count_attempt),
                 std::to_string(options_.max_attempts), RecordField(how.reason), milliseconds(how.elsewhere),
                 flag(how.killed), flag(how.more_memory), milliseconds(options_.lease)}));
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
