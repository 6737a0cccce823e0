#include "convert/ir/cast.h"
#include "convert/passes/negative_pads.h"
#include "convert/targets/coreml/legalize/builder.h"
#include "convert/targets/coreml/legalize/rules.h"

namespace slipway::coreml_writer {
namespace {

// With at most one size unknown a Reshape says it.
absl::StatusOr<bool> FlattenToReshape(Graph& graph, Node& node) {
  std::vector<int64_t> sizes;
  int unknown = 0;
  for (const Dim& size : *node.outputs[0]->shape) {
    sizes.push_back(size.IsKnown() ? size.value() : -1);
    unknown += !size.IsKnown();
  }
  if (unknown > 1) return false;
  Builder to(graph, node);
  return to.Replace(to.Reshape(node.inputs[0], sizes));
}

// Ops that take numbers only: booleans (and for pad integers) go through another type and back.
absl::StatusOr<bool> BoolAsInt(Graph& graph, Node& node) {
  const DataType type = node.inputs[0]->type;
  const bool pad = node.kind == OpKind::kPad;
  if (pad ? IsFloat(type) : type != DataType::kBool) return false;
  Builder to(graph, node);
  const DataType between = pad ? DataType::kFloat32 : DataType::kInt32;
  std::vector<Value*> inputs = node.inputs;
  inputs[0] = to.Op(OpKind::kCast, {inputs[0]}, CastTo(between));
  if (pad && node.input(2) != nullptr) inputs[2] = to.Op(OpKind::kCast, {inputs[2]}, CastTo(between));
  return to.Replace(to.Op(OpKind::kCast, {to.Op(node.kind, inputs, node.attributes)}, CastTo(type)));
}

}  // namespace

void AddReshapeRules(Rules& rules) {
  rules.push_back(MakeCropBySlice());
  rules.push_back(
      std::make_unique<FunctionRule>("flatten-to-reshape", std::vector{OpKind::kFlatten}, FlattenToReshape));
  rules.push_back(std::make_unique<FunctionRule>(
      "bool-as-int", std::vector{OpKind::kGather, OpKind::kGatherElements, OpKind::kGatherND, OpKind::kPad},
      BoolAsInt));
}

}  // namespace slipway::coreml_writer
