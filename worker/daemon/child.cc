#include "worker/daemon/child.h"

#include <poll.h>
#include <sys/resource.h>

#include <ctime>
#include <exception>
#include <map>
#include <memory>

#include "common/base/error.h"
#include "worker/daemon/fault.h"
#include "worker/daemon/task_protocol.h"

namespace slipway {
namespace {

// Asks the daemon for judge hosts, one a runtime, and keeps them until the task ends.
class DaemonHosts final : public HostProvider {
 public:
  DaemonHosts(Channel& daemon, std::filesystem::path scratch, absl::Duration answer_timeout)
      : daemon_(daemon), scratch_(std::move(scratch)), answer_timeout_(answer_timeout) {}

  absl::StatusOr<std::shared_ptr<Channel>> Acquire(std::string_view runtime) override {
    std::shared_ptr<Channel>& host = hosts_[std::string(runtime)];
    if (host != nullptr && Alive(*host)) return host;
    host.reset();
    RETURN_IF_ERROR(SendToDaemon(daemon_, ChildWantsHost{std::string(runtime)}));
    ASSIGN_OR_RETURN(UniqueFd connection, ReceiveHost(daemon_));
    host = std::make_shared<Channel>(std::move(connection));
    return host;
  }

  std::filesystem::path scratch() const override { return scratch_; }
  absl::Duration answer_timeout() const override { return answer_timeout_; }

 private:
  // A host that is silent and still there. One that has something to say unasked is out of step.
  static bool Alive(const Channel& host) {
    pollfd state{host.fd(), POLLIN, 0};
    return host.valid() && poll(&state, 1, 0) == 0;
  }

  Channel& daemon_;
  std::filesystem::path scratch_;
  absl::Duration answer_timeout_;
  std::map<std::string, std::shared_ptr<Channel>> hosts_;
};

absl::StatusOr<TaskInputs> MapInputs(const TaskMessage& message, const std::vector<UniqueFd>& fds) {
  TaskInputs inputs{message.model,     message.options,       message.task, {},
                    message.reference, message.prepare_entry, message.made};
  std::map<Digest, std::string> paths;
  for (const SpecFile& file : message.model.files) paths.emplace(file.digest, file.path);
  for (size_t i = 0; i < fds.size(); ++i) {
    const Digest& digest = message.blobs[i];
    const auto path = paths.find(digest);
    ASSIGN_OR_RETURN(auto mapped,
                     MappedFile::Map(fds[i].get(), path != paths.end() ? path->second : digest.ToString()));
    inputs.blobs.emplace(digest.ToString(), std::move(mapped));
  }
  return inputs;
}

// What slipway-bench measures a no-op task's start by.
int64_t MonotonicNanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}

// Where the worker limits its children it is the model that needs too much, the same on the next attempt.
absl::Status OutOfMemory() {
  rlimit limit{};
  if (getrlimit(RLIMIT_DATA, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return WithKind(ResourceExhausted("out of memory"), ErrorKind::kMachine);
  return WithKind(
      ResourceExhausted("the conversion needs more than {} MiB of memory {}", limit.rlim_cur >> 20, kOverTaskMemory),
      ErrorKind::kModel);
}

absl::StatusOr<TaskOutput> RunTask(Channel& daemon, const TaskMessage& message, std::vector<UniqueFd> fds,
                                   const std::filesystem::path& scratch) {
  if (message.noop)
    return TaskOutput{.state = "passed", .reason = fmt::format("started_ns={}", MonotonicNanoseconds())};
  ASSIGN_OR_RETURN(TaskInputs inputs, MapInputs(message, fds));
  fds.clear();  // mapped
  DaemonHosts hosts(daemon, scratch, message.judge_timeout);
  TaskContext context{scratch, &hosts, [&daemon](std::string_view step) {
                        SendToDaemon(daemon, ChildProgress{std::string(step)}).IgnoreError();
                      }};
  // Libraries below may throw: bad_alloc on a hostile size, filesystem_error on a full disk.
  try {
    return message.task.kind == SpecTask::Kind::kPrepare ? RunPrepare(inputs, context) : RunCell(inputs, context);
  } catch (const std::bad_alloc&) {
    return OutOfMemory();
  } catch (const std::filesystem::filesystem_error& error) {
    return ErrnoStatus(error.code().value(), error.what());
  } catch (const std::exception& error) {
    return WithKind(Internal("{}", error.what()), ErrorKind::kModel);
  }
}

}  // namespace

int RunChild(Channel daemon, JailLevel level, const std::filesystem::path& scratch) {
  if (!SendToDaemon(daemon, ChildHello{level}).ok()) return 0;
  for (;;) {
    auto task = ReceiveTask(daemon);
    if (!task.ok()) return absl::IsUnavailable(task.status()) ? 0 : 1;
    absl::StatusOr<TaskOutput> output = RunTask(daemon, task->first, std::move(task->second), scratch);
    if (!SendToDaemon(daemon, ChildResult{std::move(output)}).ok()) return 0;
  }
}

}  // namespace slipway
