#include <algorithm>

#include "convert/ir/cast.h"
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
  const auto to_type = [](DataType wanted) {
    Attributes attributes;
    attributes.Set("to", ElementTypeCode(wanted));
    return attributes;
  };
  Builder to(graph, node);
  const DataType between = pad ? DataType::kFloat32 : DataType::kInt32;
  std::vector<Value*> inputs = node.inputs;
  inputs[0] = to.Op(OpKind::kCast, {inputs[0]}, to_type(between));
  if (pad && node.input(2) != nullptr) inputs[2] = to.Op(OpKind::kCast, {inputs[2]}, to_type(between));
  return to.Replace(to.Op(OpKind::kCast, {to.Op(node.kind, inputs, node.attributes)}, to_type(type)));
}

// Negative pads cut: Slice, then what is left of the padding.
absl::StatusOr<bool> CropBySlice(Graph& graph, Node& node) {
  const Tensor* pads = node.constant(1);
  if (pads == nullptr || node.input(3) != nullptr || node.inputs[0]->rank() * 2 != pads->size()) return false;
  std::vector<int64_t> amounts = pads->ToInt64s(), starts, ends, axes;
  const size_t count = amounts.size() / 2;
  for (size_t i = 0; i < count; ++i) {
    if (amounts[i] >= 0 && amounts[i + count] >= 0) continue;
    axes.push_back(static_cast<int64_t>(i));
    starts.push_back(std::max<int64_t>(0, -amounts[i]));
    ends.push_back(amounts[i + count] < 0 ? amounts[i + count] : INT64_MAX);
    amounts[i] = std::max<int64_t>(0, amounts[i]);
    amounts[i + count] = std::max<int64_t>(0, amounts[i + count]);
  }
  if (axes.empty()) return false;
  Builder to(graph, node);
  const auto numbers = [&](const std::vector<int64_t>& values) { return to.Constant(Tensor::Int64s(values)); };
  std::vector<Value*> inputs = node.inputs;
  inputs[0] = to.Op(OpKind::kSlice, {inputs[0], numbers(starts), numbers(ends), numbers(axes)});
  inputs[1] = numbers(amounts);
  return to.Replace(to.Op(OpKind::kPad, inputs, node.attributes));
}

}  // namespace

void AddReshapeRules(Rules& rules) {
  rules.push_back(std::make_unique<FunctionRule>("crop-by-slice", std::vector{OpKind::kPad}, CropBySlice));
  rules.push_back(
      std::make_unique<FunctionRule>("flatten-to-reshape", std::vector{OpKind::kFlatten}, FlattenToReshape));
  rules.push_back(std::make_unique<FunctionRule>(
      "bool-as-int", std::vector{OpKind::kGather, OpKind::kGatherElements, OpKind::kGatherND, OpKind::kPad},
      BoolAsInt));
}

}  // namespace slipway::coreml_writer
