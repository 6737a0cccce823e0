// --target and --precision → the pairs to make.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace slipway::cli {

struct PairSelection {
  std::vector<std::pair<std::string, std::string>> pairs;  // (target, precision), targets in the order asked for
  std::vector<std::string> left_out;  // one line each: pairs that `all` stood for and that cannot be made
};

// Empty lists: every target, fp32. INVALID_ARGUMENT (usage): an unknown name, a pair that was asked for by name and
// cannot be made, nothing left to make.
absl::StatusOr<PairSelection> SelectPairs(const std::vector<std::string>& targets,
                                          const std::vector<std::string>& precisions);

}  // namespace slipway::cli
