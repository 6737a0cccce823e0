#include "worker/daemon/fault.h"

#include <signal.h>

#include <algorithm>
#include <iterator>

#include "common/base/error.h"

namespace slipway {
namespace {

// What the model's bytes can make a converter do. Any other signal came from outside: SIGKILL from the kernel short of memory, SIGBUS from a
// mapped file whose disk failed.
constexpr int kModelSignals[] = {SIGSEGV, SIGABRT, SIGSYS, SIGILL, SIGFPE, SIGXCPU, SIGTRAP};

std::string WithWords(std::string reason, const std::string& words) {
  return words.empty() ? reason : fmt::format("{}: {}", reason, words);
}

}  // namespace

bool IsOverTaskMemory(const absl::Status& status) {
  return absl::IsResourceExhausted(status) && Message(status).find(kOverTaskMemory) != std::string::npos;
}

Failure FailureOf(const absl::Status& answer, bool judged) {
  const bool by_judge = judged && (absl::IsUnavailable(answer) || absl::IsInternal(answer));
  return by_judge ? Failure::kUnclear : Failure::kMachine;
}

Fault FaultOf(const Execution& execution, absl::Duration task_timeout) {
  switch (execution.end) {
    case Execution::End::kTimedOut:
      return {Failure::kModel,
              fmt::format("the conversion took longer than {} s (--task-timeout)", absl::ToInt64Seconds(task_timeout))};
    case Execution::End::kMisbehaved:
      return {Failure::kCrash, WithWords("the converter process sent nonsense", execution.last_words)};
    default:
      break;
  }
  const ProcessExit& exit = execution.exit;
  const std::string reason =
      WithWords(fmt::format("the converter process {}",
                            exit.pid == 0 && exit.error.empty() ? "is gone" : slipway::Describe(exit)),
                execution.last_words);
  const bool by_model =
      std::find(std::begin(kModelSignals), std::end(kModelSignals), exit.signal) != std::end(kModelSignals);
  // Where an allocation that fails cannot be reported upwards, C++ ends the process.
  if (exit.signal == SIGABRT && execution.last_words.find("std::bad_alloc") != std::string::npos)
    return {Failure::kMemoryLimit,
            fmt::format("the conversion needs more memory than a task gets {}", kOverTaskMemory)};
  if (by_model) return {Failure::kCrash, reason};
  if (exit.signal == SIGKILL) return {Failure::kOutOfMemory, reason + " (out of memory?)"};
  // An ordinary exit in the middle of a task is an exit() deep in a library: the model led there.
  if (exit.error.empty() && exit.pid != 0 && exit.signal == 0 && exit.code != 125) return {Failure::kCrash, reason};
  return {Failure::kMachine, reason};
}

}  // namespace slipway
