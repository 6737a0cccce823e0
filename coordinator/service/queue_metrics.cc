#include "coordinator/service/queue_metrics.h"

#include "common/metrics/metrics.h"

namespace slipway {
namespace {

constexpr absl::Duration kSilent = absl::Minutes(1);

const metrics::Gauge kUp("slipway_queue_up",
                         "1 when Redis answered this scrape, else 0 and no other slipway_queue gauge.");
const metrics::Gauge kOpen("slipway_queue_open_tasks", "Tasks of the whole farm that have not ended.");
const metrics::Gauge kTasks("slipway_queue_tasks",
                            "Of those: ready, running, delayed; the rest is blocked by its preparation.", {"state"});
const metrics::Gauge kReady("slipway_queue_ready_tasks", "Ready tasks by the class of worker that they need.",
                            {"class"});
const metrics::Gauge kOldest("slipway_queue_oldest_ready_seconds",
                             "Age of the oldest request that has a ready task, by class; 0: none is ready.", {"class"});
const metrics::Gauge kWorkers("slipway_queue_workers", "Workers heard of within a minute, by version.", {"version"});
const metrics::Gauge kSlots("slipway_queue_slots", "Slots of those workers, total and busy.", {"state"});

}  // namespace

void ShowQueue(Queue& queue) {
  for (const metrics::Gauge* gauge : {&kOpen, &kTasks, &kReady, &kOldest, &kWorkers, &kSlots}) gauge->Clear();
  const absl::StatusOr<QueueDepth> depth = queue.Depth();
  const absl::StatusOr<std::vector<WorkerView>> workers =
      depth.ok() ? queue.ListWorkers() : absl::StatusOr<std::vector<WorkerView>>(depth.status());
  kUp.Set({}, workers.ok() ? 1 : 0);
  if (!workers.ok()) return;
  kOpen.Set({}, static_cast<double>(depth->open));
  kTasks.Set({"ready"}, static_cast<double>(depth->ready()));
  kTasks.Set({"running"}, static_cast<double>(depth->running));
  kTasks.Set({"delayed"}, static_cast<double>(depth->delayed));
  for (const auto& [name, tasks] : depth->classes) {
    kReady.Set({name}, static_cast<double>(tasks.ready));
    kOldest.Set({name}, absl::ToDoubleSeconds(tasks.oldest));
  }
  int slots = 0, busy = 0;
  for (const WorkerView& worker : *workers) {
    if (absl::Now() - worker.last_seen > kSilent) continue;  // a killed one stays registered for a while
    kWorkers.Add({worker.version}, 1);
    slots += worker.slots;
    busy += worker.busy;
  }
  kSlots.Set({"total"}, slots);
  kSlots.Set({"busy"}, busy);
}

}  // namespace slipway
