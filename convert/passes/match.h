// Small questions and edits that rules have in common.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "convert/ir/graph.h"

namespace slipway {

// The number of a constant of one element; nullopt otherwise.
std::optional<double> ScalarOf(const Value* value);
// Whether `value` is a constant of one element equal to `number` within a relative 1e-4.
bool IsScalar(const Value* value, double number);

// The node that makes `value` if it is of `kind`; nullptr otherwise.
Node* ProducerOf(const Value* value, OpKind kind);
// The same, when nothing but one node input reads the value: what may be merged into its reader.
Node* SoleProducer(const Graph& graph, const Value* value, OpKind kind);
// The only reader of a value that is no graph output; nullptr otherwise.
Node* SoleReader(const Graph& graph, const Value* value);

// For a commutative node of two inputs: the index of the constant one; -1 if there is none, or both are.
int ConstantInput(const Node& node);

// Turns `node` into another op in place: its outputs keep their names and origins. Infers again.
absl::Status Rewrite(Graph& graph, Node& node, OpKind kind, std::vector<Value*> inputs, Attributes attributes);

// Lets `value` (of the same numbers and shape) stand for the node's only output and removes the node; false, changing nothing, where the
// graph's output name could not be kept (`value` is an input, a constant or another output).
bool Bypass(Graph& graph, Node& node, Value* value);

// The values are the same numbers in another arrangement: the origin is known no more.
inline void ClearOrigin(Value* value) { value->origin = Origin{}; }

// Sizes of `shape` as a Reshape's shape operand for data of shape `data`: numbers, 0 where an unknown size is the data's at the same
// axis, at most one -1. nullopt when it takes more than that.
std::optional<std::vector<int64_t>> ReshapeTarget(const Shape& data, const Shape& shape);

// The perm of a Transpose, its default resolved. Empty when the rank is unknown.
std::vector<int64_t> PermOf(const Node& transpose);
bool IsIdentityPerm(const std::vector<int64_t>& perm);
std::vector<int64_t> Inverse(const std::vector<int64_t>& perm);
// Transposing by `first`, then by `second`.
std::vector<int64_t> Compose(const std::vector<int64_t>& first, const std::vector<int64_t>& second);

}  // namespace slipway
