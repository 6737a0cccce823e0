#include "coordinator/planner/cell_names.h"

#include <algorithm>

namespace slipway {

CellNames::CellNames(const RequestSpec& spec) {
  starts_.reserve(spec.models.size() + 1);
  for (const SpecModel& model : spec.models) {
    starts_.push_back(models_.size());
    models_ += model.name;
  }
  starts_.push_back(models_.size());
  models_.shrink_to_fit();

  tasks_.reserve(spec.tasks.size());
  for (const SpecTask& task : spec.tasks) {
    const std::pair pair(task.target, task.precision);
    const auto known = std::find(pairs_.begin(), pairs_.end(), pair);
    tasks_.push_back({.model = task.model, .pair = static_cast<uint32_t>(known - pairs_.begin())});
    if (known == pairs_.end()) pairs_.push_back(pair);
  }
}

CellNames::Cell CellNames::Of(uint32_t index) const {
  if (index >= tasks_.size()) return {};
  const Task task = tasks_[index];
  const auto& [target, precision] = pairs_[task.pair];
  if (task.model + size_t{1} >= starts_.size()) return {.model = {}, .target = target, .precision = precision};
  const size_t start = starts_[task.model];
  return {.model = std::string_view(models_).substr(start, starts_[task.model + 1] - start),
          .target = target,
          .precision = precision};
}

size_t CellNames::bytes() const {
  return sizeof(*this) + models_.capacity() + starts_.capacity() * sizeof(size_t) + tasks_.capacity() * sizeof(Task) +
         pairs_.capacity() * sizeof(pairs_[0]);
}

}  // namespace slipway
