#include "coordinator/watch/watcher.h"

#include <chrono>

#include "common/base/error.h"
#include "common/base/failpoint.h"
#include "coordinator/service/messages.h"
#include "coordinator/service/requests.h"

namespace slipway {
namespace {

constexpr uint32_t kPageCells = 500;
constexpr auto kMinInterval =
    std::chrono::milliseconds(5);  // between two reads: a busy request's changes are told together

bool HasEnded(const RequestView& view) {
  return (view.state == RequestState::kDone || view.state == RequestState::kCancelled) && view.open == 0;
}

}  // namespace

Watcher::Watcher(WatchHub& hub, Call call, std::string request, uint64_t cursor)
    : hub_(hub), call_(std::move(call)), request_(std::move(request)), cursor_(cursor) {}

void Watcher::Start() {
  self_ = shared_from_this();
  std::lock_guard lock(mutex_);
  if (step_ == Step::kWaiting) Schedule(Executor::Clock::now());
}

void Watcher::Schedule(Executor::Clock::time_point due) {
  step_ = Step::kScheduled;
  hub_.executor_.RunAt(due, [watcher = shared_from_this()] { watcher->Read(); });
}

void Watcher::Wake() {
  std::lock_guard lock(mutex_);
  changed_ = true;
  if (step_ == Step::kWaiting) Schedule(next_read_);
}

void Watcher::Stop(const absl::Status& status) {
  {
    std::lock_guard lock(mutex_);
    if (step_ == Step::kEnded || stop_.has_value()) return;
    stop_ = status;
    if (step_ != Step::kWaiting) return;
    step_ = Step::kEnded;
  }
  End(status);
}

void Watcher::Read() {
  {
    std::unique_lock lock(mutex_);
    if (stop_.has_value()) {
      step_ = Step::kEnded;
      lock.unlock();
      return End(*stop_);
    }
    step_ = Step::kReading;
    changed_ = false;
  }
  absl::Status followed = following_ ? absl::OkStatus() : Follow();
  const absl::StatusOr<bool> worth_telling = followed.ok() ? ReadPage() : followed;

  std::unique_lock lock(mutex_);
  next_read_ = Executor::Clock::now() + kMinInterval;
  if (stop_.has_value() || !worth_telling.ok()) {
    step_ = Step::kEnded;
    lock.unlock();
    return End(stop_.has_value() ? *stop_ : worth_telling.status());
  }
  if (*worth_telling) {
    Failpoint("coordinator.watch_page");
    step_ = page_.ended() ? Step::kEnded : Step::kWriting;
    lock.unlock();
    if (page_.ended()) return StartWriteAndFinish(&page_, {}, call_.End(absl::OkStatus()));
    return StartWrite(&page_);
  }
  step_ = Step::kWaiting;
  if (changed_) Schedule(next_read_);
}

// Subscribed before the snapshot is read, so that no change falls between.
absl::Status Watcher::Follow() {
  RETURN_IF_ERROR(FindRequest(hub_.queue_, call_, request_).status());
  RETURN_IF_ERROR(hub_.feed_->Follow(request_));
  following_ = true;
  return absl::OkStatus();
}

absl::StatusOr<bool> Watcher::ReadPage() {
  // The request before its tasks: if it has ended, the tasks read after it are in their last states.
  ASSIGN_OR_RETURN(const RequestView view, FindRequest(hub_.queue_, call_, request_));
  if (cursor_ > view.version) cursor_ = 0;  // Redis lost its last writes: what the client knows is void
  ASSIGN_OR_RETURN(const auto names, hub_.specs_.Get(call_.tenant(), view.spec));
  ASSIGN_OR_RETURN(const std::vector<TaskView> tasks, hub_.queue_.ListTasks(request_, cursor_, kPageCells));
  more_ = tasks.size() >= kPageCells;
  page_.Clear();
  for (const TaskView& task : tasks) SetCell(task, *names, *page_.add_cells());
  if (!tasks.empty()) cursor_ = tasks.back().version;
  page_.set_cursor(cursor_);
  SetRequestInfo(view, *page_.mutable_request());
  page_.set_ended(!more_ && HasEnded(view));
  const bool worth_telling = !told_ || !tasks.empty() || page_.ended() || page_.request().state() != last_state_;
  told_ = true;
  last_state_ = page_.request().state();
  return worth_telling;
}

void Watcher::OnWriteDone(bool ok) {
  std::unique_lock lock(mutex_);
  if (step_ == Step::kEnded) return;
  if (!ok || stop_.has_value()) {
    step_ = Step::kEnded;
    lock.unlock();
    return End(stop_.value_or(Cancelled("the watcher has gone")));
  }
  if (more_) return Schedule(Executor::Clock::now());
  step_ = Step::kWaiting;
  if (changed_) Schedule(next_read_);
}

void Watcher::OnCancel() { Stop(Cancelled("the watcher has gone")); }

void Watcher::End(const absl::Status& status) { Finish(call_.End(status)); }

void Watcher::OnDone() {
  if (following_) hub_.feed_->Unfollow(request_);
  const std::shared_ptr<Watcher> self = std::move(self_);
  hub_.Remove(self);
}

}  // namespace slipway
