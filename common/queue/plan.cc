#include "common/queue/plan.h"

#include <algorithm>
#include <set>

#include "common/base/error.h"
#include "common/queue/records.h"

namespace slipway {
namespace {

constexpr size_t kMostTasks = 1'000'000;
constexpr int kMostPriority = 100;  // bands of virtual time stay exact doubles
constexpr absl::Duration kLongestTimeout = absl::Hours(24 * 365);
constexpr double kLeastCost = 1.0 / 16;  // below it virtual time could stand still
constexpr double kMostCost = 1'000'000;

bool IsWord(std::string_view text, size_t longest) {
  auto allowed = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-' || c == '+';
  };
  return !text.empty() && text.size() <= longest && std::all_of(text.begin(), text.end(), allowed);
}

bool IsPlain(std::string_view text, size_t longest) {
  auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20; };
  return text.size() <= longest && std::none_of(text.begin(), text.end(), control);
}

std::string_view ShareWord(QueuedRequest::Sharing sharing) {
  switch (sharing) {
    case QueuedRequest::Sharing::kJoin:
      return "join";
    case QueuedRequest::Sharing::kFresh:
      return "fresh";
    default:
      return "";
  }
}

absl::Status CheckTasks(const std::vector<QueuedTask>& tasks) {
  if (tasks.empty() || tasks.size() > kMostTasks)
    return InvalidArgument("a request has 1 to {} tasks, not {}", kMostTasks, tasks.size());
  for (size_t i = 0; i < tasks.size(); ++i) {
    const QueuedTask& task = tasks[i];
    if (task.index != i) return InvalidArgument("tasks[{}].index is {}: tasks are numbered in order", i, task.index);
    RETURN_IF_ERROR(CheckClass(task.task_class));
    if (!(task.cost >= kLeastCost && task.cost <= kMostCost))
      return InvalidArgument("tasks[{}].cost {} is not within {} and {}", i, task.cost, kLeastCost, kMostCost);
    if (task.blocked_by < 0) continue;
    if (std::cmp_greater_equal(task.blocked_by, tasks.size()) || tasks[task.blocked_by].blocked_by >= 0)
      return InvalidArgument("tasks[{}].blocked_by {} is no task that is ready at once", i, task.blocked_by);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckClass(const std::string& task_class) {
  if (IsWord(task_class, 64)) return absl::OkStatus();
  return InvalidArgument("class \"{}\": must be 1 to 64 of A-Z a-z 0-9 . _ - +", task_class);
}

absl::Status CheckLimits(const std::string& tenant, const TenantLimits& limits) {
  if (limits.weight >= 0.01 && limits.weight <= 100) return absl::OkStatus();
  return WithKind(InvalidArgument("weight of {}: {} is not within 0.01 and 100", tenant, limits.weight),
                  ErrorKind::kUsage);
}

absl::Status CheckRequest(const QueuedRequest& request, const QueueOptions& options) {
  if (!IsWord(request.id, 80) || !request.id.starts_with(options.shard + "-"))
    return InvalidArgument("request id \"{}\": must be \"{}-<random hex>\"", request.id, options.shard);
  if (!IsWord(request.tenant, 64)) return InvalidArgument("tenant \"{}\" is no name", request.tenant);
  if (!IsPlain(request.idempotency_key, 200))
    return InvalidArgument("the idempotency key must be at most 200 printable characters");
  if (!IsPlain(request.request_digest, 200)) return InvalidArgument("the request digest is malformed");
  if (IsCarriedSpec(request.spec) ? request.spec.size() > kMaxCarriedSpecBytes : !IsPlain(request.spec, 200))
    return InvalidArgument("the spec is neither a digest nor JSON of {} bytes at most", kMaxCarriedSpecBytes);
  if (std::abs(request.priority) > kMostPriority)
    return InvalidArgument("priority {} is not within -{} and {}", request.priority, kMostPriority, kMostPriority);
  if (request.timeout < absl::ZeroDuration() || request.timeout > kLongestTimeout)
    return InvalidArgument("timeout {} is not within 0 and {}", absl::FormatDuration(request.timeout),
                           absl::FormatDuration(kLongestTimeout));
  if (request.sharing != QueuedRequest::Sharing::kAlone && request.request_digest.empty())
    return InvalidArgument("a request without digest cannot be shared");
  return CheckTasks(request.tasks);
}

std::vector<std::vector<std::string>> SubmitCalls(const QueuedRequest& request, const QueueOptions& options) {
  std::set<std::string> classes;
  for (const QueuedTask& task : request.tasks) classes.insert(task.task_class);
  std::string class_list = Join(std::vector<std::string>(classes.begin(), classes.end()), ',');
  auto limited = options.tenants.find(request.tenant);
  const TenantLimits& limits = limited == options.tenants.end() ? options.limits : limited->second;
  std::vector<std::vector<std::string>> calls;
  for (size_t begin = 0; begin < request.tasks.size(); begin += kTasksPerCall) {
    size_t end = std::min(request.tasks.size(), begin + kTasksPerCall);
    bool last = end == request.tasks.size();
    std::vector<std::string> arguments = {
        request.id,
        request.request_digest,
        begin == 0 ? "1" : "0",
        last ? "1" : "0",
        request.tenant,
        request.idempotency_key,
        request.spec,
        std::to_string(request.priority),
        std::to_string(request.tasks.size()),
        std::to_string(absl::ToInt64Milliseconds(options.retention)),
        std::to_string(absl::ToInt64Milliseconds(options.planning)),
        class_list,
        std::to_string(absl::ToInt64Milliseconds(absl::Ceil(request.timeout, absl::Milliseconds(1)))),
        std::to_string(request.bytes),
        fmt::format("{}", limits.weight),
        std::to_string(limits.open_tasks),
        std::to_string(limits.requests_per_minute),
        std::to_string(limits.bytes),
        std::string(ShareWord(request.sharing)),
        request.made};
    for (size_t i = begin; i < end; ++i) {
      const QueuedTask& task = request.tasks[i];
      arguments.push_back(fmt::format("{}\n{}\n{}\n{}", task.index, task.task_class, task.cost,
                                      task.blocked_by < 0 ? "" : std::to_string(task.blocked_by)));
    }
    calls.push_back(std::move(arguments));
  }
  return calls;
}

}  // namespace slipway
