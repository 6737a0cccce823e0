// Built-in architectures: graphs to which a checkpoint's weights are fitted.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/import/checkpoint/checkpoint.h"
#include "convert/ir/graph.h"

namespace slipway {

struct Architecture {
  std::string_view name;             // "mtcnn-pnet"
  std::string_view checked_against;  // "facenet-pytorch 2.6.0": what its graph was compared with in tests
};

// All, sorted by name.
const std::vector<Architecture>& Architectures();
// nullptr if unknown.
const Architecture* FindArchitecture(std::string_view name);
// Up to `count` names nearest to a misspelt one (edit distance), best first.
std::vector<std::string> NearestArchitectures(std::string_view name, size_t count = 3);

// The architecture's graph with the checkpoint's weights, as PyTorch would run it in eval mode: not simplified.
// INVALID_ARGUMENT when weights do not fit: every key missing, unexpected or of the wrong shape (with both shapes) is
// named, each list cut after ten.
absl::StatusOr<std::unique_ptr<Graph>> BuildArchitecture(std::string_view name, const Checkpoint& weights);

}  // namespace slipway
