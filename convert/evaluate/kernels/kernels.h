// Inside the constant evaluator: kernels by op family, registered by an explicit list in evaluate.cc.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/error.h"
#include "convert/ir/graph.h"

namespace slipway::evaluate {

// One evaluation under way.
struct Call {
  const Node& node;
  const std::vector<Tensor>& inputs;
  int64_t max_bytes;

  bool Has(size_t input) const { return input < inputs.size() && inputs[input].type() != DataType::kUndefined; }
  const Tensor& operator[](size_t input) const { return inputs[input]; }

  // A zero-filled tensor and its bytes. INVALID_ARGUMENT for a negative or uncountable size, RESOURCE_EXHAUSTED beyond max_bytes.
  absl::StatusOr<std::pair<Tensor, std::span<std::byte>>> Allocate(DataType type, std::vector<int64_t> shape) const;
  // `axis` counted from the end if negative; INVALID_ARGUMENT outside [-rank, rank).
  absl::StatusOr<int64_t> Axis(int64_t axis, int64_t rank) const;

  template <typename... Args>
  absl::Status Error(fmt::format_string<Args...> format, Args&&... args) const {
    return InvalidArgument("{}: {}", Describe(node), fmt::format(format, std::forward<Args>(args)...));
  }
  absl::Status NoKernel(DataType type) const {
    return Unimplemented("{}: no constant evaluation for {}", Describe(node), Name(type));
  }
};

using Results = std::vector<Tensor>;
using Kernel = absl::StatusOr<Results> (*)(const Call&);
struct Entry {
  OpKind kind;
  Kernel kernel;
};

std::span<const Entry> ActivationKernels();
std::span<const Entry> ElementwiseKernels();
std::span<const Entry> GatherKernels();
std::span<const Entry> GemmKernels();
std::span<const Entry> MovementKernels();
std::span<const Entry> ReduceKernels();
std::span<const Entry> ReshapeKernels();
std::span<const Entry> ResizeKernels();
std::span<const Entry> SourceKernels();

// The type in which numbers of `type` are computed: integers in 64 bits (results truncated to their width, which is exact for
// wrapping arithmetic), float16 and bfloat16 in float.
DataType ComputeType(DataType type);

// ONNX multidirectional broadcasting. INVALID_ARGUMENT when the shapes do not fit.
absl::StatusOr<std::vector<int64_t>> BroadcastShape(const Call& call, const std::vector<int64_t>& a,
                                                    const std::vector<int64_t>& b);

// Walks a result's elements in order and gives the offset of the operand's element broadcast to it.
class BroadcastOffsets {
 public:
  BroadcastOffsets(const std::vector<int64_t>& operand, const std::vector<int64_t>& result);
  int64_t offset() const { return offset_; }
  void Next();

 private:
  std::vector<int64_t> sizes_, strides_, at_;
  int64_t offset_ = 0;
};

// result[i0, i1, …] = data[maps[0][i0], maps[1][i1], …]; an index of -1 gives `fill` (the bytes of one element, zero if empty). The common
// form of slicing, padding, expanding, tiling, splitting, flipping.
absl::StatusOr<Tensor> TakeAxes(const Call& call, const Tensor& data, const std::vector<std::vector<int64_t>>& maps,
                                std::span<const std::byte> fill = {});

}  // namespace slipway::evaluate
