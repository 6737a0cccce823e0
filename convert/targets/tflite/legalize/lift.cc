#include "common/base/error.h"
#include "convert/passes/match.h"
#include "convert/targets/tflite/legalize/legalize.h"

namespace slipway::tflite {
namespace {

using enum OpKind;

absl::StatusOr<bool> GlobalPool(Graph& graph, Node& node) {
  const int64_t rank = node.input(0)->rank();
  if (rank < 3) return false;
  Expansion e(graph, node);
  std::vector<int64_t> axes;
  for (int64_t i = 2; i < rank; ++i) axes.push_back(i);
  Value* x = node.input(0);
  if (node.kind == kGlobalLpPool) {
    if (node.attributes.Int("p", 2) != 2) return false;
    return e.Become(kSqrt, {e.Op(kReduceSum, {e.Op(kMul, {x, x}), e.Axes(axes)})});
  }
  return e.Become(node.kind == kGlobalAveragePool ? kReduceMean : kReduceMax, {x, e.Axes(axes)});
}

// [N, C, L] → [N, C, 1, L]: a window of height 1.
absl::StatusOr<bool> LiftTo2d(Graph& graph, Node& node) {
  Value* x = node.input(0);
  if (x->rank() != 3 || node.output(1) != nullptr) return false;
  const bool weighted = node.kind == kConv || node.kind == kConvTranspose;
  if (weighted && node.constant(1) == nullptr) return false;
  Attributes attributes = node.attributes;
  for (const char* name : {"kernel_shape", "strides", "dilations"}) {
    std::vector<int64_t> sizes = attributes.Ints(name);
    if (sizes.size() == 1) attributes.Set(name, std::vector<int64_t>{1, sizes[0]});
  }
  // One row stays one row whatever the stride: an equal one lets the rule for unknown sizes have it.
  if (const std::vector<int64_t> strides = attributes.Ints("strides");
      node.kind == kConvTranspose && strides.size() == 2) {
    attributes.Set("strides", std::vector<int64_t>{strides[1], strides[1]});
  }
  if (const std::vector<int64_t> padding = attributes.Ints("output_padding"); padding.size() == 1) {
    attributes.Set("output_padding", std::vector<int64_t>{0, padding[0]});
  }
  if (const std::vector<int64_t> shape = attributes.Ints("output_shape"); shape.size() == 1) {
    attributes.Set("output_shape", std::vector<int64_t>{1, shape[0]});
  }
  if (const std::vector<int64_t> pads = attributes.Ints("pads"); pads.size() == 2) {
    attributes.Set("pads", std::vector<int64_t>{0, pads[0], 0, pads[1]});
  }
  Expansion e(graph, node);
  std::vector<Value*> inputs = node.inputs;
  inputs[0] = e.Op(kUnsqueeze, {x, e.Axes({2})});
  if (weighted) {
    const Tensor& weight = *node.constant(1);
    inputs[1] = e.Constant(weight.Reshaped({weight.shape()[0], weight.shape()[1], 1, weight.shape()[2]}));
  }
  return e.Become(kSqueeze, {e.Op(node.kind, inputs, attributes), e.Axes({2})});
}

}  // namespace

void AddLiftRules(Rules& rules) {
  rules.push_back(MakeRule("global-pool-to-reduce", {kGlobalAveragePool, kGlobalMaxPool, kGlobalLpPool}, GlobalPool));
  rules.push_back(MakeRule("lift-conv1d", {kConv, kConvTranspose, kMaxPool, kAveragePool}, LiftTo2d));
}

}  // namespace slipway::tflite
