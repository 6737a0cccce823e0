#include <algorithm>

#include "common/base/error.h"
#include "convert/ir/cast.h"
#include "convert/passes/match.h"
#include "convert/passes/table.h"
#include "convert/targets/tflite/legalize/legalize.h"
#include "convert/targets/tflite/ops/ops.h"

namespace slipway::tflite {
namespace {

using enum OpKind;

// Integers in the element type of the indices.
Value* Like(Expansion& e, const Value* indices, std::vector<int64_t> shape, const std::vector<int64_t>& values) {
  return e.Constant(Tensor::From(std::move(shape), values).Cast(indices->type));
}

// Whether indices that are computed may count from the end: the remainder of a division by the size does not, nor when it is moved about.
bool MayBeNegative(const Value* indices) {
  constexpr OpKind kMoving[] = {kReshape, kSqueeze, kUnsqueeze, kTranspose, kIdentity};
  while (indices->producer != nullptr && std::ranges::find(kMoving, indices->producer->kind) != std::end(kMoving))
    indices = indices->producer->input(0);
  if (indices->IsConstant()) return false;
  const Node* mod = ProducerOf(indices, kMod);
  if (mod == nullptr || mod->attributes.Int("fmod", 0) != 0) return true;
  const Tensor* divisors = mod->constant(1);
  return divisors != nullptr && std::ranges::any_of(divisors->ToInt64s(), [](int64_t by) { return by <= 0; });
}

absl::StatusOr<bool> WrapIndices(Graph& graph, Node& node) {
  Value *data = node.input(0), *indices = node.input(1);
  if (!MayBeNegative(indices) || data->rank() < 1) return false;
  Expansion e(graph, node);
  std::vector<Dim> sizes;
  std::vector<int64_t> shape;
  if (node.kind == kGather) {
    const int64_t axis = node.attributes.Int("axis", 0);
    sizes = {(*data->shape)[static_cast<size_t>(axis < 0 ? axis + data->rank() : axis)]};
  } else {
    const int64_t first = node.attributes.Int("batch_dims", 0);
    if (indices->rank() < 1 || !indices->shape->back().IsKnown()) return false;
    const int64_t count = indices->shape->back().value();
    for (int64_t i = 0; i < count; ++i) sizes.push_back((*data->shape)[static_cast<size_t>(first + i)]);
    shape = {count};
  }
  const std::optional<std::vector<int64_t>> numbers = StaticShape(sizes);
  if (!numbers) return false;
  return e.Become(node.kind, {data, e.Op(kMod, {indices, Like(e, indices, shape, *numbers)})}, node.attributes);
}

// One index into the flattened data: the axis' own, and where the element stands on the others.
absl::StatusOr<bool> FlattenGatherElements(Graph& graph, Node& node) {
  Value *data = node.input(0), *indices = node.input(1);
  if (!data->shape || !indices->shape || data->rank() < 1) return false;
  const auto from = StaticShape(*data->shape), to = StaticShape(*indices->shape);
  if (!from || !to || !IsTableSize(*to)) return false;
  const auto rank = static_cast<size_t>(data->rank());
  const int64_t given = node.attributes.Int("axis", 0);
  const auto axis = static_cast<size_t>(given < 0 ? given + data->rank() : given);
  std::vector<int64_t> strides(rank, 1);
  for (size_t i = rank - 1; i-- > 0;) strides[i] = strides[i + 1] * (*from)[i + 1];
  std::vector<int64_t> others(static_cast<size_t>(ElementCount(*to)), 0);
  for (size_t i = 0; i < others.size(); ++i) {
    auto rest = static_cast<int64_t>(i);
    for (size_t k = rank; k-- > 0; rest /= (*to)[k]) {
      if (k != axis) others[i] += rest % (*to)[k] * strides[k];
    }
  }
  Expansion e(graph, node);
  Value* wrapped = MayBeNegative(indices) || indices->IsConstant()
                       ? e.Op(kMod, {indices, Like(e, indices, {}, {(*from)[axis]})})
                       : indices;
  Value* flat =
      e.Op(kAdd, {e.Op(kMul, {wrapped, Like(e, indices, {}, {strides[axis]})}), Like(e, indices, *to, others)});
  // The remainder tells that no index counts from the end.
  flat = e.Op(kMod, {flat, Like(e, indices, {}, {ElementCount(*from)})});
  return e.Become(kGather, {e.Op(kReshape, {data, e.Axes({-1})}), flat});
}

// Of unknown sizes: the axis last, all others a batch that data and indices share.
absl::StatusOr<bool> GatherElementsOfBatch(Graph& graph, Node& node) {
  Value *data = node.input(0), *indices = node.input(1);
  if (!data->shape || !indices->shape || data->rank() != indices->rank() || data->rank() < 1) return false;
  const int64_t rank = data->rank(), given = node.attributes.Int("axis", 0), axis = given < 0 ? given + rank : given;
  for (int64_t i = 0; i < rank; ++i) {
    const Dim &whole = (*data->shape)[static_cast<size_t>(i)], &part = (*indices->shape)[static_cast<size_t>(i)];
    // Two open sizes are one: the runtime refuses others.
    if (i != axis && !(whole == part) && (whole.IsKnown() || part.IsKnown())) return false;
  }
  const Dim& size = (*data->shape)[static_cast<size_t>(axis)];
  if (!size.IsKnown()) return false;
  Expansion e(graph, node);
  std::vector<int64_t> swap;
  for (int64_t i = 0; i < rank; ++i) swap.push_back(i == axis ? rank - 1 : i == rank - 1 ? axis : i);
  const auto moved = [&](Value* value) {
    return axis == rank - 1 ? value : e.Op(kTranspose, {value}, With("perm", swap));
  };
  Value* wrapped = e.Op(kMod, {moved(indices), Like(e, indices, {}, {size.value()})});
  Value* points = e.Op(kUnsqueeze, {wrapped, e.Axes({rank})});
  const Attributes batch = rank > 1 ? With("batch_dims", rank - 1) : Attributes();
  if (axis == rank - 1) return e.Become(kGatherND, {data, points}, batch);
  return e.Become(kTranspose, {e.Op(kGatherND, {moved(data), points}, batch)}, With("perm", swap));
}

// Batch axes become indices of their own.
absl::StatusOr<bool> BatchIndices(Graph& graph, Node& node) {
  const int64_t batch = node.attributes.Int("batch_dims", 0);
  Value* indices = node.input(1);
  if (batch == 0 || !indices->shape) return false;
  const auto shape = StaticShape(*indices->shape);
  if (!shape) return false;
  std::vector<int64_t> prefix_shape = *shape;
  prefix_shape.back() = batch;
  if (!IsTableSize(prefix_shape)) return false;
  int64_t points = 1;
  for (size_t i = 0; i + 1 < shape->size(); ++i) points *= (*shape)[i];
  std::vector<int64_t> prefix;
  for (int64_t point = 0; point < points; ++point) {
    int64_t rest = point;
    std::vector<int64_t> at(shape->size() - 1);
    for (size_t k = at.size(); k-- > 0; rest /= (*shape)[k]) at[k] = rest % (*shape)[k];
    prefix.insert(prefix.end(), at.begin(), at.begin() + batch);
  }
  Expansion e(graph, node);
  Value* all = e.Op(kConcat, {Like(e, indices, prefix_shape, prefix), indices}, With("axis", int64_t{-1}));
  return e.Become(kGatherND, {node.input(0), all});
}

// SCATTER_ND adds the updates onto zeros: what is added goes onto the data; what replaces it is the mean of the updates (of one, itself) where there are any.
absl::StatusOr<bool> ScatterOntoZeros(Graph& graph, Node& node) {
  Value *data = node.input(0), *indices = node.input(1), *updates = node.input(2);
  const std::string reduction = node.attributes.String("reduction", "none");
  if (data->type != DataType::kFloat32 || !data->shape || !indices->shape || indices->rank() < 1 ||
      !indices->shape->back().IsKnown() || (reduction != "none" && reduction != "add") ||
      (IsZeros(data) && reduction == "add" && indices->type == DataType::kInt32))
    return false;
  const int64_t depth = indices->shape->back().value();
  if (depth < 1 || depth > data->rank()) return false;
  Expansion e(graph, node);
  // Those from the end are counted from the start, where the size is known.
  if (const auto sizes = StaticShape(Shape(data->shape->begin(), data->shape->begin() + depth)); sizes)
    indices = e.Op(kMod, {indices, Like(e, indices, {depth}, *sizes)});
  indices = e.Op(kCast, {indices}, With("to", ElementTypeCode(DataType::kInt32)));
  const auto filled = [&](Value* like, float value) {
    return e.Op(kConstantOfShape, {e.Op(kShape, {like})}, With("value", Tensor::Float32s({value})));
  };
  Value* zeros = filled(data, 0);
  const auto scattered = [&](Value* values) {
    return e.Op(kScatterND, {zeros, indices, values}, With("reduction", "add"));
  };
  Value* sum = scattered(updates);
  if (reduction == "add") return e.Become(kAdd, {data, sum});
  Value* count = scattered(filled(updates, 1));
  Value* mean = e.Op(kDiv, {sum, e.Op(kMax, {count, e.Number(1)})});
  return e.Become(kWhere, {e.Op(kGreater, {count, e.Number(0.5)}), mean, data});
}

}  // namespace

void AddGatherRules(Rules& rules) {
  rules.push_back(MakeRule("scatter-onto-zeros", {kScatterND}, ScatterOntoZeros));
  rules.push_back(MakeRule("flatten-gather-elements", {kGatherElements}, FlattenGatherElements));
  rules.push_back(MakeRule("gather-elements-of-batch", {kGatherElements}, GatherElementsOfBatch));
  rules.push_back(MakeRule("batch-indices", {kGatherND}, BatchIndices));
  rules.push_back(MakeRule("wrap-indices", {kGather, kGatherND}, WrapIndices));
}

}  // namespace slipway::tflite
