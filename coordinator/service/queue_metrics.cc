#include "coordinator/service/queue_metrics.h"

#include "common/metrics/metrics.h"
#include "coordinator/service/class_service.h"

namespace slipway {
namespace {

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
const metrics::Gauge kClassSlots("slipway_queue_class_slots",
                                 "Slots of those workers that take tasks of a class; 0: such tasks wait for a worker.",
                                 {"class"});

}  // namespace

void ShowQueue(Queue& queue) {
  for (const metrics::Gauge* gauge : {&kOpen, &kTasks, &kReady, &kOldest, &kWorkers, &kSlots, &kClassSlots})
    gauge->Clear();
  const absl::StatusOr<QueueDepth> depth = queue.Depth();
  const absl::StatusOr<std::vector<WorkerView>> workers =
      depth.ok() ? queue.ListWorkers() : absl::StatusOr<std::vector<WorkerView>>(depth.status());
  kUp.Set({}, workers.ok() ? 1 : 0);
  if (!workers.ok()) return;
  kOpen.Set({}, static_cast<double>(depth->open));
  kTasks.Set({"ready"}, static_cast<double>(depth->ready()));
  kTasks.Set({"running"}, static_cast<double>(depth->running));
  kTasks.Set({"delayed"}, static_cast<double>(depth->delayed));
  const std::map<std::string, ClassService> service = ServiceOf(*workers);
  for (const auto& [name, served] : service) kClassSlots.Set({name}, served.slots);
  for (const auto& [name, tasks] : depth->classes) {
    if (!service.contains(name)) kClassSlots.Set({name}, 0);
    kReady.Set({name}, static_cast<double>(tasks.ready));
    kOldest.Set({name}, absl::ToDoubleSeconds(tasks.oldest));
  }
  int slots = 0, busy = 0;
  for (const WorkerView& worker : *workers) {
    if (IsSilent(worker)) continue;
    kWorkers.Add({worker.version}, 1);
    slots += worker.slots;
    busy += worker.busy;
  }
  kSlots.Set({"total"}, slots);
  kSlots.Set({"busy"}, busy);
}

}  // namespace slipway
