#include "coordinator/service/messages.h"

#include "common/rpc/digest_message.h"
#include "coordinator/service/class_service.h"

namespace slipway {
namespace {

v1::CellState CellStateOf(TaskState state) {
  switch (state) {
    case TaskState::kBlocked:
      return v1::CELL_STATE_BLOCKED;
    case TaskState::kReady:
      return v1::CELL_STATE_READY;
    case TaskState::kDelayed:
      return v1::CELL_STATE_DELAYED;
    case TaskState::kRunning:
      return v1::CELL_STATE_RUNNING;
    case TaskState::kPassed:
      return v1::CELL_STATE_PASSED;
    case TaskState::kUnverified:
      return v1::CELL_STATE_UNVERIFIED;
    case TaskState::kParityFailed:
      return v1::CELL_STATE_PARITY_FAILED;
    case TaskState::kFailed:
      return v1::CELL_STATE_FAILED;
    case TaskState::kCancelled:
      return v1::CELL_STATE_CANCELLED;
    case TaskState::kSkipped:
      return v1::CELL_STATE_SKIPPED;
  }
  return v1::CELL_STATE_UNSPECIFIED;
}

v1::RequestState RequestStateOf(RequestState state) {
  switch (state) {
    case RequestState::kPlanning:
      return v1::REQUEST_STATE_PLANNING;
    case RequestState::kActive:
      return v1::REQUEST_STATE_ACTIVE;
    case RequestState::kDone:
      return v1::REQUEST_STATE_DONE;
    case RequestState::kCancelled:
      return v1::REQUEST_STATE_CANCELLED;
  }
  return v1::REQUEST_STATE_UNSPECIFIED;
}

void SetTime(absl::Time time, google::protobuf::Timestamp& timestamp) {
  const int64_t nanos = absl::ToUnixNanos(time);
  timestamp.set_seconds(nanos / 1'000'000'000);
  timestamp.set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
}

}  // namespace

void SetCell(const TaskView& task, const CellNames& names, v1::Cell& cell) {
  const CellNames::Cell name = names.Of(task.index);
  cell.set_index(task.index);
  cell.set_model(std::string(name.model));
  cell.set_target(std::string(name.target));
  cell.set_precision(std::string(name.precision));
  cell.set_state(CellStateOf(task.state));
  cell.set_version(task.version);
  cell.set_attempts(task.attempts);
  cell.set_worker(task.worker);
  cell.set_task_class(task.task_class);
  cell.set_reason(task.reason);
  cell.set_progress(task.progress);
  for (const std::string& reason : task.attempt_reasons) cell.add_attempt_reasons(reason);
  if (const auto result = Digest::Parse(task.result); result.ok())
    *cell.mutable_result() = ToDigestMessage<v1::Digest>(*result);
}

void SetRequestInfo(const RequestView& request, v1::RequestInfo& info) {
  info.set_request_id(request.id);
  info.set_state(RequestStateOf(request.state));
  SetTime(request.created, *info.mutable_created());
  info.set_cells(request.tasks);
  info.set_open(request.open);
  for (const auto& [state, count] : request.counts) {
    if (count > 0) (*info.mutable_counts())[std::string(Name(state))] = count;
  }
  info.set_priority(request.priority);
  info.set_waiters(request.waiters);
}

void SetWorker(const WorkerView& view, v1::Worker& worker) {
  worker.set_id(view.id);
  worker.set_host(view.host);
  worker.set_version(view.version);
  worker.set_slots(view.slots);
  worker.set_busy(view.busy);
  for (const std::string& name : view.classes) worker.add_classes(name);
  SetTime(view.last_seen, *worker.mutable_last_seen());
  worker.set_silent(IsSilent(view));
  worker.set_memory_bytes(view.memory_bytes);
  worker.set_task_memory_bytes(view.task_memory_bytes);
}

}  // namespace slipway
