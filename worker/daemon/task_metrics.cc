#include "worker/daemon/task_metrics.h"

#include <signal.h>

#include <algorithm>
#include <iterator>

#include "common/metrics/metrics.h"

namespace slipway {
namespace {

const metrics::Counter kTasks("slipway_worker_tasks_total",
                              "Tasks committed, by target (prepare for preparations), precision and state.",
                              {"target", "precision", "state"});
const metrics::Histogram kTaskSeconds("slipway_worker_task_seconds", "Time of a committed task from lease to commit.",
                                      {"target"});
const metrics::Histogram kPhases(
    "slipway_worker_phase_seconds",
    "Time of a task's phases: lease, fetch, import, convert, reference, judge, store, commit.", {"phase"});
const metrics::Counter kCommits("slipway_worker_commits_total",
                                "Commits by outcome: committed, already, fenced, cancelled, or error.", {"outcome"});
const metrics::Counter kReturned("slipway_worker_tasks_returned_total",
                                 "Tasks given back to the queue, by why: crash, out_of_memory, "
                                 "memory_limit, machine, unclear, drained, version, store_down.",
                                 {"why"});
const metrics::Counter kGivenUp("slipway_worker_tasks_given_up_total",
                                "Tasks given up because their lease was lost or their request cancelled.");
const metrics::Counter kChildren(
    "slipway_worker_child_ends_total",
    "Child processes that ended in the middle of a task, by how: a signal's name, timeout, "
    "protocol, exit, killed.",
    {"how"});

// A child's steps, and what they are in metrics; a child is not trusted to name series.
constexpr std::pair<std::string_view, std::string_view> kPhaseNames[] = {{"fetch", "fetch"},
                                                                         {"importing", "import"},
                                                                         {"converting", "convert"},
                                                                         {"judging", "judge"},
                                                                         {"running the reference", "reference"},
                                                                         {"store", "store"},
                                                                         {"commit", "commit"}};

std::string HowEnded(const Execution& execution) {
  if (execution.end == Execution::End::kTimedOut) return "timeout";
  if (execution.end == Execution::End::kMisbehaved) return "protocol";
  const int signal = execution.exit.signal;
  if (signal == 0) return "exit";
  const char* name = sigabbrev_np(signal);
  return name == nullptr ? "signal" : "SIG" + std::string(name);
}

std::string_view Name(Failure failure) {
  constexpr std::string_view kNames[] = {"model",   "crash",   "out_of_memory", "memory_limit", "machine",
                                         "unclear", "drained", "version",       "store_down"};
  return kNames[static_cast<size_t>(failure)];
}

std::string_view Name(CommitOutcome outcome) {
  constexpr std::string_view kNames[] = {"committed", "already", "fenced", "cancelled"};
  return kNames[static_cast<size_t>(outcome)];
}

}  // namespace

void TaskMeter::Leased(absl::Time asked) { kPhases.Since(asked, {"lease"}); }

void TaskMeter::SetTask(const SpecTask& task) {
  if (!metrics::Enabled()) return;
  target_ = task.kind == SpecTask::Kind::kPrepare ? "prepare" : task.target;
  precision_ = task.precision;
}

void TaskMeter::Enter(std::string_view phase) {
  if (!metrics::Enabled()) return;
  Leave();
  const auto* known = std::find_if(std::begin(kPhaseNames), std::end(kPhaseNames),
                                   [phase](const auto& name) { return name.first == phase; });
  if (known != std::end(kPhaseNames)) phase_ = known->second;
  since_ = absl::Now();
}

void TaskMeter::Leave() {
  if (!phase_.empty()) kPhases.Since(since_, {phase_});
  phase_.clear();
}

void TaskMeter::ChildEnded(const Execution& execution) {
  if (metrics::Enabled()) kChildren.Add({HowEnded(execution)});
}

void TaskMeter::Returned(Failure failure) {
  Leave();
  kReturned.Add({Name(failure)});
}

void TaskMeter::GaveUp() {
  Leave();
  kGivenUp.Add();
}

void TaskMeter::Committed(TaskState state, const absl::StatusOr<CommitOutcome>& outcome) {
  Leave();
  kCommits.Add({outcome.ok() ? Name(*outcome) : "error"});
  if (!outcome.ok() || (*outcome != CommitOutcome::kCommitted && *outcome != CommitOutcome::kAlready)) return;
  kTasks.Add({target_, precision_, slipway::Name(state)});
  kTaskSeconds.Since(begun_, {target_});
}

}  // namespace slipway
