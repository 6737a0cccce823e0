// Inside the channels-last pass. A Transpose is sunk: an op whose data is transposed runs on the data as it was, with its
// attributes remapped, and the Transpose follows it; where it meets its inverse both go.
//
// Notation: y = Transpose(x, perm), y's axis i being x's axis perm[i]. So an axis attribute a of an op on y is perm[a] on x.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/passes/pass.h"

namespace slipway::layout {

// Sinks a Transpose below `node`, if it can be. What is left of it after the node's outputs is `out_perm` of each output (empty: nothing).
using SinkFunction = absl::StatusOr<bool> (*)(Graph& graph, Node& node, const std::vector<int64_t>& perm);
struct SinkEntry {
  OpKind kind;
  SinkFunction sink;
};
std::span<const SinkEntry> ElementwiseSinks();
std::span<const SinkEntry> AxisSinks();
std::span<const SinkEntry> ReshapeSinks();

// The entry of an op in the three lists; nullptr where it has none.
SinkFunction SinkOf(OpKind kind);

std::unique_ptr<Rule> SinkTranspose();   // all of the above
std::unique_ptr<Rule> RaiseTranspose();  // to channels-last, of what is computed from graph inputs alone: up to these
std::unique_ptr<Rule> TransposeToReshape();  // a Transpose that moves only axes of size 1
std::unique_ptr<Rule>
AbsorbTransposeIntoGemm();  // Gemm(Reshape(Transpose(x))): the rows of constant weights are permuted instead

// Transpose(value, perm) placed before `before`: an existing one of the same perm, the operand of an inverse one, or a new one.
absl::StatusOr<Value*> TransposedBefore(Graph& graph, Value* value, const std::vector<int64_t>& perm, Node* before);

// `node`'s output now is what it was transposed by Inverse(perm): follows it by a Transpose of `perm` that its readers read instead.
// Names of graph outputs stay with the numbers that they named; origins are kept.
absl::Status TransposeAfter(Graph& graph, Node& node, size_t output, const std::vector<int64_t>& perm);

// Whether perm takes channels-last data to channels-first: what this pass itself puts after spatial ops. Only such a Transpose is sunk where another
// operand must be transposed in turn, so that no two of them can chase each other.
bool IsToChannelsFirst(const std::vector<int64_t>& perm);

// Whether a Transpose takes a graph input to channels-last: it is where it shall be, and is not sunk.
bool IsAtInput(const Node& transpose);

// Whether `value` has a reader Transpose(value, perm).
bool HasTransposedReader(const Value* value, const std::vector<int64_t>& perm);

// perm without the y-axes in `dropped`, both sides renumbered.
std::vector<int64_t> DropAxes(const std::vector<int64_t>& perm, const std::vector<bool>& dropped);

}  // namespace slipway::layout
