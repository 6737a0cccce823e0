// The constant evaluator: runs one node on constant tensors (Eigen and plain loops). For folding and shape arithmetic, not for inference:
// onnxruntime is the calculator for whole models.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "convert/ir/graph.h"

namespace slipway {

// Whether there is a kernel for the kind.
bool CanEvaluate(OpKind kind);

// Outputs of `node` on `inputs` (an entry a node input; default-constructed Tensor: absent). ONNX semantics bit for bit where they are exact
// (integers, movement), else to float rounding. UNIMPLEMENTED for a type without a kernel; INVALID_ARGUMENT naming the node for
// contradicting inputs; RESOURCE_EXHAUSTED when the result would pass `max_bytes`.
absl::StatusOr<std::vector<Tensor>> EvaluateNode(const Node& node, const std::vector<Tensor>& inputs,
                                                 int64_t max_bytes = int64_t{1} << 31);

}  // namespace slipway
