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

// Imports the model and asks each target. What cannot be imported, or contradicts itself, blocks every target; of the rest each target is asked, but
// for nodes that follow such a gap. Nodes in sub-graphs are asked too, their lines begin with the nodes they are in. What a target refuses as a whole
// (its interface, say) is named too. An error: the model cannot be read at all.
absl::StatusOr<std::vector<Convertibility>> FindBlocking(const Source& source, const std::vector<std::string>& targets);

}  // namespace slipway
