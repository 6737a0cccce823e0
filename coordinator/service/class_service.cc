#include "coordinator/service/class_service.h"

#include "absl/time/clock.h"

namespace slipway {

std::map<std::string, ClassService> ServiceOf(std::span<const WorkerView> workers) {
  std::map<std::string, ClassService> service;
  for (const WorkerView& worker : workers) {
    if (absl::Now() - worker.last_seen > kSilent) continue;
    for (const std::string& name : worker.classes) {
      ++service[name].workers;
      service[name].slots += worker.slots;
    }
  }
  return service;
}

}  // namespace slipway
