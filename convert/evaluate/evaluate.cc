#include "convert/evaluate/evaluate.h"

#include <array>

#include "convert/evaluate/kernels/kernels.h"

namespace slipway {
namespace {

using Table = std::array<evaluate::Kernel, static_cast<size_t>(OpKind::kCount)>;

const Table& Kernels() {
  static const Table table = [] {
    Table kernels{};
    for (const std::span<const evaluate::Entry> family :
         {evaluate::ActivationKernels(), evaluate::ElementwiseKernels(), evaluate::GatherKernels(),
          evaluate::GemmKernels(), evaluate::MovementKernels(), evaluate::ReduceKernels(), evaluate::ReshapeKernels(),
          evaluate::ResizeKernels(), evaluate::SourceKernels()}) {
      for (const evaluate::Entry& entry : family) kernels[static_cast<size_t>(entry.kind)] = entry.kernel;
    }
    return kernels;
  }();
  return table;
}

}  // namespace

bool CanEvaluate(OpKind kind) { return Kernels()[static_cast<size_t>(kind)] != nullptr; }

absl::StatusOr<std::vector<Tensor>> EvaluateNode(const Node& node, const std::vector<Tensor>& inputs,
                                                 int64_t max_bytes) {
  const evaluate::Kernel kernel = Kernels()[static_cast<size_t>(node.kind)];
  if (kernel == nullptr) return Unimplemented("{}: the op has no constant evaluation", Describe(node));
  const int required = Info(node.kind).min_inputs;
  for (int i = 0; i < required; ++i) {
    if (i >= static_cast<int>(inputs.size()) || inputs[i].type() == DataType::kUndefined) {
      return InvalidArgument("{}: input {} is missing", Describe(node), i);
    }
  }
  for (const Tensor& input : inputs) {
    if (input.type() == DataType::kString)
      return Unimplemented("{}: no constant evaluation of strings", Describe(node));
  }
  return kernel(evaluate::Call{node, inputs, max_bytes});
}

}  // namespace slipway
