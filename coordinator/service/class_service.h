// Who serves each class of tasks.
#pragma once

#include <map>
#include <span>
#include <string>

#include "common/queue/queue.h"

namespace slipway {

// Not heard of for a minute. Such a worker is not counted: a killed one stays registered for a while.
inline bool IsSilent(const WorkerView& worker) { return worker.silent > absl::Minutes(1); }

struct ClassService {
  int workers = 0, slots = 0;
};

// By class, of the workers that have been heard of. Classes that nobody offers are not in it.
std::map<std::string, ClassService> ServiceOf(std::span<const WorkerView> workers);

}  // namespace slipway
