#include <algorithm>

#include "convert/ir/cast.h"
#include "convert/ir/spatial.h"
#include "convert/targets/coreml/legalize/builder.h"
#include "convert/targets/coreml/legalize/rules.h"

namespace slipway::coreml_writer {
namespace {

// An average that counts its padding and rounds up: the padding becomes data, what rounding adds is not counted.
absl::StatusOr<bool> SplitCountedPadding(Graph& graph, Node& node) {
  auto params = ReadSpatialParams(node);
  if (!params.ok() || !params->ceil_mode || !params->count_include_pad) return false;
  Builder to(graph, node);
  std::vector<int64_t> pads(static_cast<size_t>(params->rank) + 2, 0);
  std::copy(params->pads_begin.begin(), params->pads_begin.end(), pads.begin() + 2);
  pads.insert(pads.end(), {0, 0});
  pads.insert(pads.end(), params->pads_end.begin(), params->pads_end.end());
  Value* padded = to.Op(OpKind::kPad, {node.inputs[0], to.Constant(Tensor::Int64s(pads))});
  Attributes attributes = node.attributes;
  attributes.Set("pads", std::vector<int64_t>(static_cast<size_t>(2 * params->rank), 0));
  attributes.Set("count_include_pad", int64_t{0});
  attributes.Erase("auto_pad");
  return to.Replace(to.Op(OpKind::kAveragePool, {padded}, std::move(attributes)));
}

// max_pool takes floats.
absl::StatusOr<bool> NarrowMaxPool(Graph& graph, Node& node) {
  const DataType type = node.inputs[0]->type;
  if (IsFloat(type) || node.outputs.size() > 1) return false;
  Builder to(graph, node);
  Value* x = to.Op(OpKind::kCast, {node.inputs[0]}, CastTo(DataType::kFloat32));
  return to.Replace(to.Op(OpKind::kCast, {to.Op(OpKind::kMaxPool, {x}, node.attributes)}, CastTo(type)));
}

// The p-norm over the spatial axes.
absl::StatusOr<bool> GlobalNormToReduce(Graph& graph, Node& node) {
  const int64_t p = node.attributes.Int("p", 2);
  if (p != 1 && p != 2) return false;
  std::vector<int64_t> axes;
  for (int64_t axis = 2; axis < node.inputs[0]->rank(); ++axis) axes.push_back(axis);
  Builder to(graph, node);
  return to.Replace(
      to.Op(p == 1 ? OpKind::kReduceL1 : OpKind::kReduceL2, {node.inputs[0], to.Constant(Tensor::Int64s(axes))}));
}

}  // namespace

void AddPoolRules(Rules& rules) {
  rules.push_back(
      std::make_unique<FunctionRule>("split-counted-padding", std::vector{OpKind::kAveragePool}, SplitCountedPadding));
  rules.push_back(std::make_unique<FunctionRule>("narrow-max-pool", std::vector{OpKind::kMaxPool}, NarrowMaxPool));
  rules.push_back(
      std::make_unique<FunctionRule>("global-norm-to-reduce", std::vector{OpKind::kGlobalLpPool}, GlobalNormToReduce));
}

}  // namespace slipway::coreml_writer
