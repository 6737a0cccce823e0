#include "coordinator/service/class_service.h"

namespace slipway {

std::map<std::string, ClassService> ServiceOf(std::span<const WorkerView> workers) {
  std::map<std::string, ClassService> service;
  for (const WorkerView& worker : workers) {
    if (IsSilent(worker)) continue;
    for (const std::string& name : worker.classes) {
      ++service[name].workers;
      service[name].slots += worker.slots;
    }
  }
  return service;
}

}  // namespace slipway
