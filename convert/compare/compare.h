// Two model files on the same inputs: `slipway compare`. The baseline's outputs take the source's place; the variant is judged as a cell's artifact is
// (convert/parity), in every configuration of its runtime.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/compare/side.h"
#include "convert/parity/parity.h"

namespace slipway::compare {

struct CompareOptions {
  int samples = 8;
  uint64_t seed = 0;
  std::optional<double> tolerance;                     // takes the place of the gates' limits
  std::map<std::string, std::vector<int64_t>> shapes;  // sizes of the baseline's inputs that are open
};

struct InputPair {
  std::string baseline, variant;  // names
  std::vector<int64_t> shape;     // as the baseline takes it on the first sample
};

struct Comparison {
  JudgeRequest request;  // what was judged by whose gates
  ParityResult result;
  std::vector<InputPair> inputs;
  std::string baseline_judge;  // "onnxruntime 1.31.1 (layout optimisations off)"
};

// INVALID_ARGUMENT: the interfaces do not fit, which names both. kUsage where an option does not. NOT_FOUND: the baseline's runtime is
// missing here; the variant's missing is a verdict (kNotRun). A host that died: UNAVAILABLE.
absl::StatusOr<Comparison> CompareModels(HostProvider& hosts, const Side& baseline, const Side& variant,
                                         const CompareOptions& options);

}  // namespace slipway::compare
