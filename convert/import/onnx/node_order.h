// The order of a graph's nodes.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/import/onnx/model_view.h"

namespace slipway::onnx_import {

// Indices of `nodes` with producers before consumers: the order of the file where it is one already, else a stable sort.
// INVALID_ARGUMENT naming a node on a cycle; with `cyclic`, that receives all of them instead, and nodes on or behind a cycle are not in the order.
absl::StatusOr<std::vector<size_t>> NodeOrder(const std::vector<NodeView>& nodes,
                                              std::vector<size_t>* cyclic = nullptr);
absl::Status OnCycle(const NodeView& node);

std::string OpName(const NodeView& node);  // "Conv", "com.acme::Mystery"
// Names that the node reads: its inputs, and what its sub-graphs take from around them. Some may come twice.
std::vector<std::string_view> NamesRead(const NodeView& node);

// "Conv 'features.0' (output 'x')": how messages name a node.
std::string Describe(const NodeView& node);

}  // namespace slipway::onnx_import
