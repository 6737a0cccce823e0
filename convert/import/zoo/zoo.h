// Built-in architectures: graphs to which a checkpoint's weights are fitted.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/import/checkpoint/checkpoint.h"
#include "convert/ir/graph.h"

namespace slipway {

// What pixels in [0, 1] are normalised with, by channel of RGB.
struct ImageStatistics {
  std::array<double, 3> mean = {0.485, 0.456, 0.406};  // ImageNet's
  std::array<double, 3> std = {0.229, 0.224, 0.225};
};

struct Architecture {
  std::string_view name;             // "mtcnn-pnet"
  std::string_view checked_against;  // "facenet-pytorch 2.6.0": what its graph was compared with in tests
  int64_t input_size = 0;           // a classifier's default S of [1, 3, S, S]; 0: no classifier, its sizes are its own
  int64_t classes = 0;              // a classifier's, unless its weights say another number
  ImageStatistics statistics = {};  // that a classifier's weights expect
  std::string_view other_statistics = {};  // published weights of the same names that expect others, and which
};

struct ArchitectureOptions {
  std::optional<int64_t> input_size;
  std::optional<int64_t> classes;
};

struct BuiltArchitecture {
  std::unique_ptr<Graph> graph;
  std::vector<std::string> warnings;  // another architecture has the same keys and shapes
};

// All, sorted by name.
const std::vector<Architecture>& Architectures();
// nullptr if unknown.
const Architecture* FindArchitecture(std::string_view name);
// Up to `count` names nearest to a misspelt one (containing it, then by edit distance), best first.
std::vector<std::string> NearestArchitectures(std::string_view name, size_t count = 3);

// The architecture's graph with the checkpoint's weights, as PyTorch would run it in eval mode: not simplified.
// INVALID_ARGUMENT when weights do not fit: every key missing, unexpected or of the wrong shape (with both shapes) is
// named, each list cut after ten. Of the libraries whose names the architecture knows, the one that fits the weights best
// is taken. The number of classes is that of the weights; options.classes must agree. Options that the architecture does
// not have are usage errors.
absl::StatusOr<BuiltArchitecture> BuildArchitecture(std::string_view name, const Checkpoint& weights,
                                                    const ArchitectureOptions& options);
absl::StatusOr<std::unique_ptr<Graph>> BuildArchitecture(std::string_view name, const Checkpoint& weights);

// The architecture with made-up weights, the same for the same seed: for trying a pipeline without a checkpoint. Signals
// stay alive in every layer.
absl::StatusOr<std::unique_ptr<Graph>> BuildDummyArchitecture(std::string_view name, uint64_t seed,
                                                              const ArchitectureOptions& options);

// Whether the architecture has these options and they lie in range: a usage error if not.
absl::Status CheckOptions(const Architecture& architecture, const ArchitectureOptions& options);

}  // namespace slipway
