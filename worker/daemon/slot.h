// One slot of the worker: takes one task at a time to its warm child.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "worker/daemon/executor.h"
#include "worker/daemon/host_pool.h"

namespace slipway {

struct SlotOptions {
  absl::Duration task_timeout = absl::Minutes(10);
  int tasks_per_child = 200;
  bool require_jail = true;
  uint64_t task_memory = 0;  // bytes of its child; 0: unlimited
};

// Owned by one thread, which calls Begin, Execute and End; any thread may ask for the token or abandon the task.
class Slot final : public Executor {
 public:
  Slot(Zygote& zygote, const WorkerScratch& scratch, HostPool& hosts, SlotOptions options)
      : zygote_(zygote), worker_scratch_(scratch), hosts_(hosts), options_(options) {}

  // Has a child ready ahead of its first task.
  absl::Status Warm();
  // The jail that the child reached, once; waits for its hello.
  absl::StatusOr<JailLevel> AwaitJail(absl::Time deadline);

  // From here to End() the slot works on the task of this token.
  void Begin(const std::string& token, const std::string& request);
  // Empties the scratch folder, and has a fresh child ready where the old one has served its time.
  void End();

  absl::StatusOr<Execution> Execute(const TaskMessage& task, const std::vector<int>& blobs, const std::string& tenant,
                                    const std::function<void(const std::string&)>& progress) override;
  std::filesystem::path scratch() const override { return child_ ? child_->scratch() : std::filesystem::path(); }
  Abandon abandoned() const override;

  // Of the task in work; nullopt when idle.
  std::optional<std::string> token() const;
  // Kills the child at once if the slot (still) works on this token, this request, anything.
  void AbandonToken(const std::string& token);
  void AbandonRequest(const std::string& request);
  void AbandonAny(Abandon why);
  // Kills the child of a task that is overdue although Execute waits for it: the net below its own deadline.
  void KillIfOverdue(absl::Time now);

 private:
  void AbandonLocked(Abandon why);
  std::unique_ptr<WarmChild> TakeChild();

  Zygote& zygote_;
  const WorkerScratch& worker_scratch_;
  HostPool& hosts_;
  const SlotOptions options_;
  // Replaced under mutex_ only, by the owning thread, which alone reads it without.
  std::unique_ptr<WarmChild> child_;
  std::string tenant_;  // of the child; empty: of nobody yet
  bool dirty_ = false;  // the task may have left files

  mutable std::mutex mutex_;
  std::string token_, request_;  // empty: idle
  Abandon abandoned_ = Abandon::kNo;
  absl::Time overdue_ = absl::InfiniteFuture();
};

}  // namespace slipway
