#include "common/queue/states.h"

namespace slipway {
namespace {

struct TaskStateRow {
  TaskState state;
  char letter;
  std::string_view name;
  bool terminal;
};
constexpr TaskStateRow kTaskStates[] = {
    {TaskState::kBlocked, 'B', "blocked", false},
    {TaskState::kReady, 'Q', "ready", false},
    {TaskState::kDelayed, 'D', "delayed", false},
    {TaskState::kRunning, 'R', "running", false},
    {TaskState::kPassed, 'P', "passed", true},
    {TaskState::kUnverified, 'U', "unverified", true},
    {TaskState::kParityFailed, 'G', "parity_failed", true},
    {TaskState::kFailed, 'F', "failed", true},
    {TaskState::kCancelled, 'C', "cancelled", true},
    {TaskState::kSkipped, 'S', "skipped", true},
};

struct RequestStateRow {
  RequestState state;
  char letter;
  std::string_view name;
};
constexpr RequestStateRow kRequestStates[] = {
    {RequestState::kPlanning, 'P', "planning"},
    {RequestState::kActive, 'A', "active"},
    {RequestState::kDone, 'D', "done"},
    {RequestState::kCancelled, 'C', "cancelled"},
};

const TaskStateRow& Row(TaskState state) { return kTaskStates[static_cast<size_t>(state)]; }

}  // namespace

std::string_view Name(TaskState state) { return Row(state).name; }
bool IsTerminal(TaskState state) { return Row(state).terminal; }
char Letter(TaskState state) { return Row(state).letter; }
std::string_view Name(RequestState state) { return kRequestStates[static_cast<size_t>(state)].name; }

std::optional<TaskState> TaskStateOf(char letter) {
  for (const TaskStateRow& row : kTaskStates) {
    if (row.letter == letter) return row.state;
  }
  return std::nullopt;
}

std::optional<RequestState> RequestStateOf(char letter) {
  for (const RequestStateRow& row : kRequestStates) {
    if (row.letter == letter) return row.state;
  }
  return std::nullopt;
}

}  // namespace slipway
