// Shapes computed at run time, said without tensors of unknown size where the data itself can tell.
#include <algorithm>

#include "convert/ir/cast.h"
#include "convert/passes/match.h"
#include "convert/passes/table.h"
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
  if (grown.empty() || !IsTableSize(known)) return false;
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

// Expand to a shape computed at run time: a product with ones of that shape, which broadcasts in both ways as Expand does.
absl::StatusOr<bool> ExpandByOnes(Graph& graph, Node& node) {
  Value* x = node.input(0);
  const bool truth = x->type == DataType::kBool, whole = x->type == DataType::kInt64 || x->type == DataType::kInt32;
  if ((x->type != DataType::kFloat32 && !truth && !whole) ||
      (node.output()->shape && IsStatic(*node.output()->shape)) || node.input(1)->rank() != 1)
    return false;
  if (node.output()->rank() < 0) return false;
  Expansion e(graph, node);
  Value* ones = e.Op(kConstantOfShape, {node.input(1)}, With("value", Tensor::Float32s({1}).Cast(x->type)));
  return e.Become(truth ? kAnd : kMul, {x, ones});
}

// EXPAND_DIMS adds one axis: several one by one, where a RESHAPE cannot say the sizes.
absl::StatusOr<bool> UnsqueezeOneByOne(Graph& graph, Node& node) {
  const Tensor* axes = node.constant(1);
  if (axes == nullptr || axes->size() < 2 || !node.output()->shape) return false;
  const Shape& out = *node.output()->shape;
  if (std::ranges::count_if(out, [](const Dim& size) { return !size.IsKnown(); }) < 2) return false;
  std::vector<int64_t> places = axes->ToInt64s();
  for (int64_t& place : places) place += place < 0 ? node.output()->rank() : 0;
  std::ranges::sort(places);
  Expansion e(graph, node);
  Value* x = node.input(0);
  for (size_t i = 0; i + 1 < places.size(); ++i) x = e.Op(kUnsqueeze, {x, e.Axes({places[i]})});
  return e.Become(kUnsqueeze, {x, e.Axes({places.back()})});
}

// Sizes known only at run time: height and width of `sizes`, or those of the data times whole factors, in the operator's int32.
absl::StatusOr<bool> RuntimeSizes(Graph& graph, Node& node) {
  const Value *x = node.input(0), *output = node.output();
  if (output->rank() != 4 || node.attributes.String("data_layout", "NCHW") != "NHWC" ||
      ((*output->shape)[1].IsKnown() && (*output->shape)[2].IsKnown()) || node.attributes.Has("axes"))
    return false;
  if (node.input(3) != nullptr && node.input(3)->type == DataType::kInt32) return false;
  Expansion e(graph, node);
  const auto part = [&](Value* shape, int64_t from) {
    return e.Op(kSlice, {shape, e.Axes({from}), e.Axes({from + 2}), e.Axes({0})});
  };
  Value* sizes = nullptr;
  if (node.input(3) != nullptr) {
    sizes = part(node.input(3), 2);
  } else {
    const Tensor* scales = node.constant(2);
    if (scales == nullptr || scales->size() != 4) return false;
    std::vector<int64_t> factors;
    for (const double scale : {scales->ToDoubles()[2], scales->ToDoubles()[3]}) {
      if (scale < 1 || scale != static_cast<double>(static_cast<int64_t>(scale))) return false;
      factors.push_back(static_cast<int64_t>(scale));
    }
    sizes = e.Op(kMul, {part(e.Op(kShape, {node.input(0)}), 1), e.Axes(factors)});
  }
  sizes = e.Op(kCast, {sizes}, With("to", ElementTypeCode(DataType::kInt32)));
  if (sizes == nullptr || x->type != DataType::kFloat32) return false;
  graph.SetInput(&node, 3, sizes);
  return true;
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
  rules.push_back(MakeRule("unsqueeze-one-by-one", {kUnsqueeze}, UnsqueezeOneByOne));
  rules.push_back(MakeRule("part-of-shape", {kShape}, PartOfShape));
  rules.push_back(MakeRule("expand-by-input", {kExpand}, ExpandByInput));
  rules.push_back(MakeRule("expand-by-ones", {kExpand}, ExpandByOnes));
}

void AddForgetSizesRules(Rules& rules) {
  rules.push_back(MakeRule("forget-computed-sizes", {kResize}, ForgetComputedSizes));
  rules.push_back(MakeRule("runtime-sizes", {kResize}, RuntimeSizes));
}

}  // namespace slipway::tflite
