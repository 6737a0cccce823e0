#include <algorithm>

#include "common/base/error.h"
#include "convert/ir/cast.h"
#include "convert/passes/match.h"
#include "convert/passes/negative_pads.h"
#include "convert/targets/tflite/legalize/legalize.h"

namespace slipway::tflite {
namespace {

using enum OpKind;

// GATHER counts from the start only: constant indices are renumbered (wrap-indices has the others).
absl::StatusOr<bool> GatherFromStart(Graph& graph, Node& node) {
  if (node.input(0)->rank() < 1) return false;
  int64_t axis = node.attributes.Int("axis", 0);
  if (axis < 0) axis += node.input(0)->rank();
  const Dim& size = (*node.input(0)->shape)[axis];
  Value* given = node.input(1);
  const Tensor* indices = node.constant(1);
  if (!size.IsKnown() || indices == nullptr) return false;
  std::vector<int64_t> values = indices->ToInt64s();
  if (std::none_of(values.begin(), values.end(), [](int64_t index) { return index < 0; })) return false;
  for (int64_t& index : values) {
    if (index < -size.value() || index >= size.value()) return false;
    index += index < 0 ? size.value() : 0;
  }
  const Tensor moved = Tensor::From<int64_t>(indices->shape(), values).Cast(indices->type());
  graph.SetInput(&node, 1, graph.AddConstant(given->name + "/from_start", moved));
  return true;
}

// mode edge: slices repeated at the ends.
absl::StatusOr<bool> EdgePad(Graph& graph, Node& node) {
  const std::string mode = node.attributes.String("mode", "constant");
  if (mode != "edge" || node.constant(1) == nullptr || node.input(0)->rank() < 1) return false;
  const std::vector<int64_t> amounts = node.constant(1)->ToInt64s();
  const size_t count = amounts.size() / 2;
  if (std::any_of(amounts.begin(), amounts.end(), [](int64_t pad) { return pad < 0 || pad > 1024; })) return false;
  Expansion e(graph, node);
  Value* data = node.input(0);
  const auto slice = [&](Value* value, int64_t begin, int64_t end, int64_t axis) {
    return e.Op(kSlice, {value, e.Axes({begin}), e.Axes({end}), e.Axes({axis})});
  };
  for (size_t i = 0; i < count && data != nullptr; ++i) {
    const int64_t axis = node.constant(3) != nullptr ? node.constant(3)->ToInt64s()[i] : static_cast<int64_t>(i);
    const int64_t before = amounts[i], after = amounts[i + count];
    if (before == 0 && after == 0) continue;
    std::vector<Value*> parts;
    for (int64_t n = 0; n < before; ++n) parts.push_back(parts.empty() ? slice(data, 0, 1, axis) : parts[0]);
    parts.push_back(data);
    Value* last = after > 0 ? slice(data, -1, INT64_MAX, axis) : nullptr;
    for (int64_t n = 0; n < after; ++n) parts.push_back(last);
    data = e.Op(kConcat, parts, With("axis", axis));
  }
  return e.Become(kIdentity, {data});
}

absl::StatusOr<bool> SplitToSlices(Graph& graph, Node& node) {
  if (node.input(0)->rank() < 1) return false;
  int64_t axis = node.attributes.Int("axis", 0);
  if (axis < 0) axis += node.input(0)->rank();
  const bool unread =
      std::any_of(node.outputs.begin(), node.outputs.end(), [](const Value* value) { return value == nullptr; });
  if (!unread || node.outputs.empty()) return false;
  std::vector<int64_t> sizes;
  if (node.constant(1) != nullptr) {
    sizes = node.constant(1)->ToInt64s();
  } else if ((*node.input(0)->shape)[axis].IsKnown() && node.input(1) == nullptr) {
    const int64_t size = (*node.input(0)->shape)[axis].value(),
                  parts = std::max<int64_t>(
                      1, node.attributes.Int("num_outputs", static_cast<int64_t>(node.outputs.size())));
    const int64_t chunk = (size + parts - 1) / parts;
    for (int64_t i = 0; i < parts; ++i) sizes.push_back(i + 1 < parts ? chunk : size - chunk * (parts - 1));
  } else {
    return false;
  }
  int64_t begin = 0;
  std::vector<std::pair<Value*, std::string>> renames;
  for (size_t i = 0; i < node.outputs.size(); begin += sizes[i], ++i) {
    Value* output = node.outputs[i];
    if (output == nullptr) continue;
    const auto number = [&](int64_t value) {
      return graph.AddConstant(output->name + "/bound", Tensor::Int64s({value}));
    };
    Node* slice = graph.AddNode(kSlice, {node.input(0), number(begin), number(begin + sizes[i]), number(axis)},
                                {output->name}, {}, &node);
    slice->output()->type = output->type;
    slice->output()->shape = output->shape;
    slice->output()->origin = output->origin;
    graph.ReplaceUses(output, slice->output());
    renames.emplace_back(slice->output(), output->name);
  }
  graph.RemoveNode(&node);
  for (auto& [value, name] : renames) graph.Rename(value, name);
  return true;
}

// CRD keeps a channel's block pixels together, DCR its block positions: a channel shuffle between.
absl::StatusOr<bool> DepthToSpaceCrd(Graph& graph, Node& node) {
  if (node.attributes.String("mode", "DCR") != "CRD" || node.input(0)->rank() != 4 ||
      !(*node.input(0)->shape)[1].IsKnown())
    return false;
  if (node.attributes.String("data_layout", "NCHW") == "NHWC") return false;
  const int64_t block = node.attributes.Int("blocksize", 1), channels = (*node.input(0)->shape)[1].value(),
                depth = channels / (block * block);
  std::vector<int64_t> order;  // of the shuffled channels: DCR's (position, depth) from CRD's (depth, position)
  for (int64_t position = 0; position < block * block; ++position) {
    for (int64_t d = 0; d < depth; ++d) order.push_back(d * block * block + position);
  }
  Expansion e(graph, node);
  Attributes attributes = node.attributes;
  attributes.Set("mode", std::string("DCR"));
  // Before it, a convolution's output channels are only another order of its weights.
  Node* conv = SoleProducer(graph, node.input(0), kConv);
  if (conv != nullptr && conv->constant(1) != nullptr && conv->attributes.Int("group", 1) == 1 &&
      (conv->input(2) == nullptr || conv->constant(2) != nullptr)) {
    const auto reordered = [&](const Tensor& tensor) {
      auto [result, bytes] = Tensor::Allocate(tensor.type(), tensor.shape());
      const size_t row = tensor.bytes().size() / static_cast<size_t>(channels);
      for (size_t i = 0; i < order.size(); ++i)
        std::memcpy(bytes.data() + i * row, tensor.bytes().data() + static_cast<size_t>(order[i]) * row, row);
      return result;
    };
    graph.SetInput(conv, 1, e.Constant(reordered(*conv->constant(1))));
    if (conv->input(2) != nullptr) graph.SetInput(conv, 2, e.Constant(reordered(*conv->constant(2))));
    ClearOrigin(conv->output());
    return e.Become(kDepthToSpace, {node.input(0)}, attributes);
  }
  Value* shuffled = e.Op(kGather, {node.input(0), e.Axes(order)}, With("axis", int64_t{1}));
  return e.Become(kDepthToSpace, {shuffled}, attributes);
}

// RESHAPE reads an int32 shape, knows one -1 and no 0 for "copy": several unknown sizes are read from the data at run time.
absl::StatusOr<bool> RuntimeShape(Graph& graph, Node& node) {
  Expansion e(graph, node);
  const Attributes to_int32 = With("to", ElementTypeCode(DataType::kInt32));
  const Tensor* target = node.constant(1);
  if (target == nullptr) {
    if (node.input(1)->type != DataType::kInt64) return false;
    Value* narrow = e.Op(kCast, {node.input(1)}, to_int32);
    return e.Become(kReshape, {node.input(0), narrow}, node.attributes);
  }
  if (!node.output()->shape || target->size() == 0) return false;
  const Shape& result = *node.output()->shape;
  const auto unknown = std::count_if(result.begin(), result.end(), [](const Dim& size) { return !size.IsKnown(); });
  const std::vector<int64_t> sizes = target->ToInt64s();
  if (unknown < 2 || node.attributes.Int("allowzero", 0) != 0) return false;
  Value* shape = e.Op(kShape, {node.input(0)});
  std::vector<Value*> parts;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const int64_t at = static_cast<int64_t>(i);
    parts.push_back(sizes[i] == 0 ? e.Op(kSlice, {shape, e.Axes({at}), e.Axes({at + 1}), e.Axes({0})})
                                  : e.Axes({sizes[i]}));
  }
  Value* joined = e.Op(kCast, {e.Op(kConcat, parts, With("axis", int64_t{0}))}, to_int32);
  return e.Become(kReshape, {node.input(0), joined});
}

}  // namespace

void AddMovementRules(Rules& rules) {
  rules.push_back(MakeRule("gather-from-start", {kGather}, GatherFromStart));
  rules.push_back(MakeCropBySlice());
  rules.push_back(MakeRule("edge-pad-to-concat", {kPad}, EdgePad));
  rules.push_back(MakeRule("split-to-slices", {kSplit}, SplitToSlices));
  rules.push_back(MakeRule("depth-to-space-crd", {kDepthToSpace}, DepthToSpaceCrd));
}

void AddRuntimeShapeRules(Rules& rules) { rules.push_back(MakeRule("runtime-shape", {kReshape}, RuntimeShape)); }

}  // namespace slipway::tflite
