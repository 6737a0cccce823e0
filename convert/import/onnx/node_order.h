// The order of a graph's nodes.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "convert/import/onnx/model_view.h"

namespace slipway::onnx_import {

// Indices of `nodes` with producers before consumers: the order of the file where it is one already, else a stable sort.
// INVALID_ARGUMENT naming a node on a cycle.
absl::StatusOr<std::vector<size_t>> NodeOrder(const std::vector<NodeView>& nodes);

// "Conv 'features.0' (output 'x')": how messages name a node.
std::string Describe(const NodeView& node);

}  // namespace slipway::onnx_import
