#include "coordinator/service/maintenance.h"

#include "common/base/error.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/metrics/metrics.h"

namespace slipway {
namespace {

const metrics::Counter kMoved("slipway_maintenance_moved_total",
                              "Tasks that maintenance put back or promoted: leases that ended, delays that passed.");
const metrics::Counter kRounds("slipway_maintenance_rounds_total", "Rounds of queue maintenance.", {"outcome"});

}  // namespace

Maintenance::Maintenance(Queue& queue, absl::Duration interval)
    : queue_(queue), thread_([this, interval] { Run(interval); }) {}

Maintenance::~Maintenance() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  thread_.join();
}

void Maintenance::Run(absl::Duration interval) {
  bool failing = false;  // one line when it begins and one when it ends, not two a second
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const absl::StatusOr<int> moved = queue_.Maintain();
    Failpoint("coordinator.maintained");
    if (!moved.ok() && !failing) LogError("queue maintenance fails", {{"error", Message(moved.status())}});
    if (moved.ok() && failing) LogWarning("queue maintenance works again");
    if (moved.ok() && *moved > 0) LogInfo("tasks returned or promoted", {{"tasks", std::to_string(*moved)}});
    kRounds.Add({moved.ok() ? "ok" : "failed"});
    if (moved.ok()) kMoved.Add({}, *moved);
    failing = !moved.ok();
    lock.lock();
    stop_.wait_for(lock, absl::ToChronoMilliseconds(interval), [this] { return stopping_; });
  }
}

}  // namespace slipway
