// What stands between a model and its targets: every node, each with its reason, not only the first.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/import/source.h"
#include "convert/targets/target.h"

namespace slipway {

struct Convertibility {
  std::string target;
  std::vector<std::string> blocking;  // "Loop 'x' (output 'y'): reason; hint"; empty: it can be converted
};

// Imports the model and asks each target. Nodes that cannot be imported block every target; then only such other nodes are
// named whose operands are known all the same. What a target refuses as a whole (its interface, say) is named too.
// An error: the model cannot be read at all.
absl::StatusOr<std::vector<Convertibility>> FindBlocking(const Source& source, const std::vector<std::string>& targets);

}  // namespace slipway
