#include "worker/daemon/slot.h"

#include <utility>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/log.h"

namespace slipway {
namespace {
constexpr absl::Duration kOverdueSlack = absl::Seconds(30);  // Execute's own deadline comes first
}

std::unique_ptr<WarmChild> Slot::TakeChild() {
  std::lock_guard lock(mutex_);
  return std::move(child_);
}

absl::Status Slot::Warm() {
  if (child_ != nullptr && child_->Usable() && child_->tasks() < options_.tasks_per_child) return absl::OkStatus();
  TakeChild().reset();
  ASSIGN_OR_RETURN(auto fresh,
                   WarmChild::Spawn(zygote_, worker_scratch_, hosts_, options_.require_jail, options_.task_memory));
  std::lock_guard lock(mutex_);
  child_ = std::move(fresh);
  tenant_.clear();
  return absl::OkStatus();
}

absl::StatusOr<JailLevel> Slot::AwaitJail(absl::Time deadline) {
  RETURN_IF_ERROR(Warm());
  return child_->AwaitHello(deadline);
}

void Slot::Begin(const std::string& token, const std::string& request) {
  std::lock_guard lock(mutex_);
  token_ = token;
  request_ = request;
}

void Slot::End() {
  bool killed = false;
  {
    std::lock_guard lock(mutex_);
    token_.clear();
    request_.clear();
    killed = std::exchange(abandoned_, Abandon::kNo) != Abandon::kNo;
  }
  // It may not have died yet, but it will.
  if (killed) TakeChild().reset();
  if (child_ != nullptr && dirty_ && !EmptyFolder(child_->scratch()).ok()) TakeChild().reset();
  dirty_ = false;
  if (absl::Status warm = Warm(); !warm.ok()) LogWarning("no warm child", {{"reason", Message(warm)}});
}

absl::StatusOr<Execution> Slot::Execute(const TaskMessage& task, const std::vector<int>& blobs,
                                        const std::string& tenant,
                                        const std::function<void(const std::string&)>& progress) {
  if (!tenant_.empty() && tenant_ != tenant) TakeChild().reset();
  RETURN_IF_ERROR(Warm());
  tenant_ = tenant;
  dirty_ = dirty_ || !task.noop;
  const absl::Time deadline = SteadyNow() + options_.task_timeout;
  {
    // From here on an abandonment kills this child; one that came before is seen now.
    std::lock_guard lock(mutex_);
    overdue_ = deadline + kOverdueSlack;
    if (abandoned_ != Abandon::kNo) child_->Kill();
  }
  Execution execution = child_->Run(task, blobs, tenant, progress, deadline);
  {
    std::lock_guard lock(mutex_);
    overdue_ = absl::InfiniteFuture();
  }
  if (execution.end != Execution::End::kResult) TakeChild().reset();
  return execution;
}

Abandon Slot::abandoned() const {
  std::lock_guard lock(mutex_);
  return abandoned_;
}

std::optional<std::string> Slot::token() const {
  std::lock_guard lock(mutex_);
  if (token_.empty()) return std::nullopt;
  return token_;
}

void Slot::AbandonLocked(Abandon why) {
  abandoned_ = why;
  if (child_ != nullptr) child_->Kill();
}

void Slot::AbandonToken(const std::string& token) {
  std::lock_guard lock(mutex_);
  if (!token_.empty() && token_ == token) AbandonLocked(Abandon::kLost);
}

void Slot::AbandonRequest(const std::string& request) {
  std::lock_guard lock(mutex_);
  if (!token_.empty() && request_ == request) AbandonLocked(Abandon::kLost);
}

void Slot::AbandonAny(Abandon why) {
  std::lock_guard lock(mutex_);
  if (!token_.empty() && abandoned_ == Abandon::kNo) AbandonLocked(why);
}

void Slot::KillIfOverdue(absl::Time now) {
  std::lock_guard lock(mutex_);
  if (now >= overdue_ && child_ != nullptr) child_->Kill();
}

}  // namespace slipway
