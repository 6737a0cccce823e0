// Shapes computed at run time, said without tensors of unknown size where the data itself can tell.
#include "convert/ir/cast.h"
#include "convert/passes/match.h"
#include "convert/targets/tflite/legalize/legalize.h"

namespace slipway::tflite {
namespace {

using enum OpKind;

absl::StatusOr<bool> PartOfShape(Graph& graph, Node& node) {
  if (!node.attributes.Has("start") && !node.attributes.Has("end")) return false;
  const int64_t start = node.attributes.Int("start", 0), end = node.attributes.Int("end", INT64_MAX);
  Expansion e(graph, node);
  return e.Become(kSlice, {e.Op(kShape, {node.input(0)}), e.Axes({start}), e.Axes({end}), e.Axes({0})});
}

// A graph input's axis of this size.
std::optional<std::pair<Value*, int64_t>> InputOfSize(const Graph& graph, const Dim& size) {
  for (Value* input : graph.inputs()) {
    for (int64_t axis = 0; axis < input->rank(); ++axis) {
      if ((*input->shape)[static_cast<size_t>(axis)] == size && input->type == DataType::kFloat32)
        return {{input, axis}};
    }
  }
  return std::nullopt;
}

// Expand to a size that an input has (a class token for each sample of the batch): zeros made of the input are added, so no size is computed at
// run time. x < x is false whatever x is.
absl::StatusOr<bool> ExpandByInput(Graph& graph, Node& node) {
  Value* x = node.input(0);
  if (!x->shape || !node.output()->shape || IsStatic(*node.output()->shape) || x->type != DataType::kFloat32)
    return false;
  const Shape& out = *node.output()->shape;
  Shape in = *x->shape;
  if (in.size() > out.size()) return false;
  in.insert(in.begin(), out.size() - in.size(), Dim(1));
  std::vector<int64_t> known(out.size(), 1);
  std::vector<std::tuple<size_t, Value*, int64_t>> grown;
  for (size_t axis = 0; axis < out.size(); ++axis) {
    if (in[axis] == out[axis]) continue;
    if (out[axis].IsKnown()) {
      known[axis] = out[axis].value();
    } else {
      const auto source = InputOfSize(graph, out[axis]);
      if (!source || !(in[axis] == Dim(1))) return false;
      grown.emplace_back(axis, source->first, source->second);
    }
  }
  if (grown.empty()) return false;
  Expansion e(graph, node);
  const std::vector<float> zeros(static_cast<size_t>(ElementCount(known)), 0.0f);
  Value* sum = e.Op(kAdd, {x, e.Constant(Tensor::From(known, zeros))});
  for (size_t i = 0; i < grown.size(); ++i) {
    const auto& [axis, source, source_axis] = grown[i];
    std::vector<int64_t> others, starts, ends;
    for (int64_t k = 0; k < source->rank(); ++k) {
      if (k == source_axis) continue;
      others.push_back(k);
      starts.push_back(0);
      ends.push_back(1);
    }
    Value* line = others.empty() ? source : e.Op(kSlice, {source, e.Axes(starts), e.Axes(ends), e.Axes(others)});
    std::vector<int64_t> shape(out.size(), 1);
    shape[axis] = -1;
    line = e.Op(kReshape, {line, e.Axes(shape)});
    Value* nothing = e.Op(kCast, {e.Op(kLess, {line, line})}, With("to", ElementTypeCode(DataType::kFloat32)));
    if (i + 1 == grown.size()) return e.Become(kAdd, {sum, nothing});
    sum = e.Op(kAdd, {sum, nothing});
  }
  return false;
}

// The operator is told the size of its result as a number: what computed it is not needed.
absl::StatusOr<bool> ForgetComputedSizes(Graph& graph, Node& node) {
  const Value* output = node.output();
  if (node.input(3) == nullptr || node.constant(3) != nullptr || output->rank() != 4) return false;
  for (int64_t axis = 1; axis < 3; ++axis) {
    if (!(*output->shape)[static_cast<size_t>(axis)].IsKnown()) return false;
  }
  graph.SetInput(&node, 3, nullptr);
  return true;
}

}  // namespace

void AddShapeRules(Rules& rules) {
  rules.push_back(MakeRule("part-of-shape", {kShape}, PartOfShape));
  rules.push_back(MakeRule("expand-by-input", {kExpand}, ExpandByInput));
}

void AddForgetSizesRules(Rules& rules) {
  rules.push_back(MakeRule("forget-computed-sizes", {kResize}, ForgetComputedSizes));
}

}  // namespace slipway::tflite
