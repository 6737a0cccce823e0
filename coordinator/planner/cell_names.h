// Which cells a request's tasks are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/task/task.h"

namespace slipway {

// All that pages of cells need of a spec, in a few bytes a task: a coordinator holds those of many large requests.
class CellNames {
 public:
  struct Cell {
    std::string_view model, target, precision;  // of a prepare task the model alone; borrowed
  };

  explicit CellNames(const RequestSpec& spec);

  // Of task `index`; all empty when the spec has no such task or model.
  Cell Of(uint32_t index) const;
  // Memory that this takes.
  size_t bytes() const;

 private:
  struct Task {
    uint32_t model, pair;
  };
  std::string models_;                                      // their names, one after the other
  std::vector<size_t> starts_;                              // of each name in models_, and the end of the last
  std::vector<std::pair<std::string, std::string>> pairs_;  // target and precision
  std::vector<Task> tasks_;
};

}  // namespace slipway
