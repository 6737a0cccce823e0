// Type and shape inference, a node at a time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "convert/ir/graph.h"

namespace slipway {

// Sets type and shape of node's outputs from its inputs (constants' values and shape arithmetic included). A shape that depends on data gets
// fresh unknown sizes. INVALID_ARGUMENT, naming the node, when inputs contradict the op.
absl::Status InferNode(Node& node);

// The integer values of a rank-0 or rank-1 tensor computed from shapes, as far as they are known ([N, -1] of a Reshape with symbolic N); nullopt if not such.
std::optional<std::vector<Dim>> ShapeValue(const Value& value);

// graph.AddNode + InferNode: for rewriting. Returns the new node, placed before `before` (at the end if null).
absl::StatusOr<Node*> AddInferred(Graph& graph, OpKind kind, std::vector<Value*> inputs, std::string output_name,
                                  Attributes attributes = {}, Node* before = nullptr);

}  // namespace slipway
