// Two interfaces laid one on the other.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/ir/tensor.h"
#include "convert/targets/target.h"

namespace slipway::compare {

// A tensor as the baseline has it, by which both sides are fed and compared.
struct CommonTensor {
  std::string name;    // the baseline's own
  std::string source;  // where a manifest says it, else the same
  DataType type = DataType::kFloat32;
  std::vector<int64_t> shape;  // -1: open
};

// Which common tensor each of the variant's is: by `source`, by name, else in order. `what`: "inputs" or "outputs", for the error, which names both lists.
absl::StatusOr<std::vector<size_t>> MatchTensors(const std::vector<CommonTensor>& common,
                                                 const std::vector<InterfaceTensor>& variant, std::string_view what);

// How a variant's tensor of shape `own` (-1: open) stands to the common one: as it says itself, as it is, channels last, without the batch.
// nullopt if in no such way.
std::optional<InterfaceTensor> FitTensor(const CommonTensor& common, InterfaceTensor variant);

// An inner tensor of the variant as the baseline's, in that way which comes nearest to it; nullopt if in none.
std::optional<ArtifactValue> FitLayer(const Tensor& reference, const std::string& source, const std::string& name,
                                      const Tensor& tensor);

std::string ShapeText(const std::vector<int64_t>& shape);  // "[?, 3, 8, 8]"

}  // namespace slipway::compare
