// Inside type and shape inference: one function an op family, registered by an explicit list in shapes.cc.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/base/error.h"
#include "convert/ir/graph.h"
#include "convert/passes/shapes.h"

namespace slipway::shapes {

// One node's inference under way.
class Inference {
 public:
  explicit Inference(Node& node) : node(node) {}

  Node& node;

  bool Has(size_t input) const { return node.input(input) != nullptr; }
  // Whether the input is there and its rank is known.
  bool HasShape(size_t input) const { return Has(input) && node.input(input)->shape.has_value(); }
  const Shape& shape(size_t input) const { return *node.input(input)->shape; }
  int64_t rank(size_t input) const { return static_cast<int64_t>(shape(input).size()); }
  DataType type(size_t input) const { return Has(input) ? node.input(input)->type : DataType::kUndefined; }
  // The integers of an input computed from constants and shapes.
  std::optional<std::vector<Dim>> Values(size_t input) const;
  // The same when every one is a number.
  std::optional<std::vector<int64_t>> Numbers(size_t input) const;

  // Sets an output that somebody reads. A fresh unknown size keeps the name that the size had before.
  absl::Status Set(size_t output, DataType type, Shape shape);
  // The same with an unknown rank: a shape that the value has, as the model declared it, is left.
  absl::Status SetUnranked(size_t output, DataType type);
  // All outputs: input 0's type, rank unknown.
  absl::Status Unranked();

  // `axis` counted from the end if negative; INVALID_ARGUMENT outside [-rank, rank).
  absl::StatusOr<int64_t> Axis(int64_t axis, int64_t rank) const;
  absl::StatusOr<std::vector<int64_t>> Axes(std::vector<int64_t> axes, int64_t rank) const;

  template <typename... Args>
  absl::Status Error(fmt::format_string<Args...> format, Args&&... args) const {
    return InvalidArgument("{}: {}", Describe(node), fmt::format(format, std::forward<Args>(args)...));
  }
};

using Function = absl::Status (*)(Inference&);
struct Entry {
  OpKind kind;
  Function infer;
};

std::span<const Entry> ConvFunctions();
std::span<const Entry> PoolFunctions();
std::span<const Entry> GemmFunctions();
std::span<const Entry> NormalizationFunctions();
std::span<const Entry> ElementwiseFunctions();
std::span<const Entry> ReduceFunctions();
std::span<const Entry> ReshapeFunctions();
std::span<const Entry> MovementFunctions();
std::span<const Entry> GatherFunctions();
std::span<const Entry> ResizeFunctions();
std::span<const Entry> SourceFunctions();
std::span<const Entry> RecurrentFunctions();
std::span<const Entry> ControlFlowFunctions();

// A size that nothing is known of.
inline Shape UnknownShape(size_t rank) {
  Shape shape;
  for (size_t i = 0; i < rank; ++i) shape.push_back(Dim::Unknown());
  return shape;
}

// ONNX multidirectional broadcasting (Broadcasting.md). nullopt when two known sizes differ and neither is 1.
std::optional<Shape> Broadcast(const Shape& a, const Shape& b);

// Whether a known difference contradicts: both numbers, and not equal.
inline bool Contradict(const Dim& a, const Dim& b) { return a.IsKnown() && b.IsKnown() && a.value() != b.value(); }

}  // namespace slipway::shapes
