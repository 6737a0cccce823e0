#include "convert/passes/pick_by_comparison.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "common/base/error.h"
#include "convert/passes/steps.h"

namespace slipway {
namespace {

using enum OpKind;

constexpr int64_t kMostPlaces = 1 << 16;
constexpr int64_t kMostPairs = int64_t{1} << 22;

// Indices that no model counts from the end.
bool IsFromTheStart(const Value* indices) {
  while (indices->producer != nullptr && (indices->producer->kind == kCast || indices->producer->kind == kUnsqueeze ||
                                          indices->producer->kind == kSqueeze || indices->producer->kind == kReshape ||
                                          indices->producer->kind == kExpand || indices->producer->kind == kTile ||
                                          indices->producer->kind == kIdentity))
    indices = indices->producer->input(0);
  if (indices->IsConstant())
    return std::ranges::all_of(indices->constant->ToInt64s(), [](int64_t i) { return i >= 0; });
  return indices->producer != nullptr &&
         (indices->producer->kind == kArgMax || indices->producer->kind == kArgMin || indices->producer->kind == kTopK);
}

bool IsNumber(DataType type) {
  return type == DataType::kFloat32 || type == DataType::kInt64 || type == DataType::kInt32;
}

std::vector<float> Counts(int64_t n, int64_t first = 0) {
  std::vector<float> counts(static_cast<size_t>(n));
  std::iota(counts.begin(), counts.end(), static_cast<float>(first));
  return counts;
}

// 1 (true) where `index`, broadcast, is the place along `axis` of `rank`.
Value* Hit(Steps& s, Value* index, bool from_start, int64_t places, int64_t axis, int64_t rank) {
  std::vector<int64_t> along(static_cast<size_t>(rank), 1);
  along[static_cast<size_t>(axis)] = places;
  const auto meets = [&](int64_t first) {
    return s.Op(kEqual, {index, s.Constant(Tensor::From(along, Counts(places, first)))});
  };
  Value* hit = meets(0);
  return from_start ? hit : s.Op(kOr, {hit, meets(-places)});
}

class PickByComparison final : public Rule {
 public:
  std::string_view name() const override { return "pick-by-comparison"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    Value *x = node.input(0), *indices = node.input(1);
    if (!x->shape || !indices->shape || !IsNumber(x->type) || x->rank() != indices->rank() || x->rank() < 1)
      return false;
    const int64_t given = node.attributes.Int("axis", 0), axis = given < 0 ? given + x->rank() : given;
    const auto at = static_cast<size_t>(axis);
    const bool gathers = node.kind == kGatherElements;
    for (size_t i = 0; i < x->shape->size(); ++i) {
      const Dim &whole = (*x->shape)[i], &part = (*indices->shape)[i];
      // Of two open sizes one stands for both: data and indices of one batch, each with a name of its own.
      if (i == at || part == whole || !(whole.IsKnown() || part.IsKnown())) continue;
      if (!whole.IsKnown() || !part.IsKnown() || part.value() > whole.value()) return false;
      return OfAPart(graph, node, static_cast<int64_t>(i), part.value());
    }
    const Dim &size = (*x->shape)[at], &picked = (*indices->shape)[at];
    if (!size.IsKnown() || size.value() < 1 || size.value() > kMostPlaces || !picked.IsKnown() || picked.value() < 1)
      return false;
    const std::string reduction = node.attributes.String("reduction", "none");
    if (!gathers && reduction != "none" && reduction != "add") return false;
    int64_t pairs = size.value() * picked.value();
    for (size_t i = 0; i < x->shape->size(); ++i) {
      if (i != at && (*x->shape)[i].IsKnown()) pairs *= (*x->shape)[i].value();
      if (pairs > kMostPairs) return false;
    }
    Steps s(graph, node);
    const DataType type = x->type;
    const bool one = picked == Dim(1), from_start = IsFromTheStart(indices);
    Value* index = s.Cast(indices, DataType::kFloat32);
    const auto number = [&](Value* value) {
      return type == DataType::kFloat32 ? value : s.Cast(value, DataType::kFloat32);
    };
    // One index needs no axis of its own. Several: [.., index, place, ..]; with known sizes as four axes, which every format has.
    const bool fixed = IsStatic(*x->shape) && IsStatic(*indices->shape);
    int64_t outer = 1, inner = 1;
    for (size_t i = 0; fixed && i < x->shape->size(); ++i) {
      if (i != at) (i < at ? outer : inner) *= (*x->shape)[i].value();
    }
    const auto paired = [&](Value* value, bool is_place) {
      if (one) return value;
      if (!fixed) return s.Op(kUnsqueeze, {value, s.Ints({is_place ? axis : axis + 1})});
      const int64_t k = is_place ? size.value() : picked.value();
      return s.Reshape(value,
                       is_place ? std::vector{outer, int64_t{1}, k, inner} : std::vector{outer, k, int64_t{1}, inner});
    };
    const int64_t index_axis = one || !fixed ? axis : 1, place_axis = one ? axis : index_axis + 1;
    const int64_t rank = one ? x->rank() : fixed ? 4 : x->rank() + 1;
    const auto reduced = [&](OpKind kind, Value* value, int64_t over, bool keep) {
      return s.Op(kind, {value, s.Ints({over})}, Steps::With("keepdims", int64_t{keep}));
    };
    // The result has the sizes of the indices, or of the data.
    const auto shaped = [&](Value* value, const Value* like) {
      return fixed && !one ? s.Reshape(value, *StaticShape(*like->shape)) : value;
    };
    const auto become = [&](Value* value) {
      return type == DataType::kFloat32 ? s.Become(kIdentity, {value})
                                        : s.Become(kCast, {value}, Steps::With("to", ElementTypeCode(type)));
    };
    Value* hit = Hit(s, paired(index, false), from_start, size.value(), place_axis, rank);
    if (gathers) {
      Value* chosen = s.Op(kWhere, {hit, paired(number(x), true), s.Number(0)});
      return become(shaped(reduced(kReduceSum, chosen, place_axis, one), indices));
    }
    Value* updates = number(node.input(2));
    if (one && reduction == "none") return become(s.Op(kWhere, {hit, updates, number(x)}));
    Value* moved = s.Op(kWhere, {hit, paired(updates, false), s.Number(0)});
    if (!one) moved = shaped(reduced(kReduceSum, moved, index_axis, false), x);
    if (reduction == "add") return become(s.Op(kAdd, {number(x), moved}));
    // Of indices that occur twice the updates' mean: where they are one number, as usual, that number.
    Value* met = shaped(reduced(kReduceSum, s.Cast(hit, DataType::kFloat32), index_axis, false), x);
    Value* mean = s.Op(kDiv, {moved, s.Op(kMax, {met, s.Number(1)})});
    return become(s.Op(kWhere, {s.Op(kGreater, {met, s.Number(0.5)}), mean, number(x)}));
  }

 private:
  // Fewer indices than the data has on another axis: the first of the data are meant.
  static absl::StatusOr<bool> OfAPart(Graph& graph, Node& node, int64_t axis, int64_t size) {
    Steps s(graph, node);
    std::vector<Value*> inputs = node.inputs;
    inputs[0] = s.Slice(node.input(0), axis, 0, size);
    if (node.kind == kGatherElements) return s.Become(kGatherElements, inputs, node.attributes);
    Value* rest = s.Slice(node.input(0), axis, size, INT64_MAX);
    return s.Become(kConcat, {s.Op(kScatterElements, inputs, node.attributes), rest}, Steps::With("axis", axis));
  }

  static constexpr OpKind kKinds[] = {kGatherElements, kScatterElements};
};

class ScatterRowsByProduct final : public Rule {
 public:
  std::string_view name() const override { return "scatter-rows-by-product"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    Value *x = node.input(0), *indices = node.input(1), *updates = node.input(2);
    if (!x->shape || !indices->shape || !IsNumber(x->type) || x->rank() < 1 || indices->rank() < 1) return false;
    const auto sizes = StaticShape(*x->shape), places = StaticShape(*indices->shape);
    const std::string reduction = node.attributes.String("reduction", "none");
    if (!sizes || !places || (reduction != "none" && reduction != "add")) return false;
    const int64_t depth = places->back();
    if (depth < 1 || depth > x->rank()) return false;
    int64_t rows = 1, width = 1;
    for (int64_t i = 0; i < x->rank(); ++i) (i < depth ? rows : width) *= (*sizes)[static_cast<size_t>(i)];
    const int64_t count = ElementCount(*places) / depth;
    if (rows < 1 || count < 1 || rows > kMostPairs / count) return false;
    std::vector<float> named(sizes->begin(), sizes->begin() + depth), strides(static_cast<size_t>(depth), 1);
    for (size_t i = strides.size(); i-- > 1;) strides[i - 1] = strides[i] * named[i];

    Steps s(graph, node);
    const DataType type = x->type;
    const auto number = [&](Value* value) {
      return type == DataType::kFloat32 ? value : s.Cast(value, DataType::kFloat32);
    };
    Value* index = s.Reshape(s.Cast(indices, DataType::kFloat32), {count, depth});
    if (!IsFromTheStart(indices)) {
      Value* wrapped = s.Op(kAdd, {index, s.Constant(Tensor::From({1, depth}, named))});
      index = s.Op(kWhere, {s.Op(kLess, {index, s.Number(0)}), wrapped, index});
    }
    if (depth > 1) {
      index = s.Op(kReduceSum, {s.Op(kMul, {index, s.Constant(Tensor::From({1, depth}, strides))}), s.Ints({1})},
                   Steps::With("keepdims", int64_t{0}));
    }
    Value* hit = s.Cast(Hit(s, s.Reshape(index, {1, count}), true, rows, 0, 2), DataType::kFloat32);  // [rows, count]
    Value* moved = s.Op(kMatMul, {hit, s.Reshape(number(updates), {count, width})});
    Value* data = s.Reshape(number(x), {rows, width});
    Value* result = nullptr;
    if (reduction == "add") {
      result = s.Op(kAdd, {data, moved});
    } else {
      Value* met = s.Op(kReduceSum, {hit, s.Ints({1})}, Steps::With("keepdims", int64_t{1}));
      Value* mean = s.Op(kDiv, {moved, s.Op(kMax, {met, s.Number(1)})});
      result = s.Op(kWhere, {s.Op(kGreater, {met, s.Number(0.5)}), mean, data});
    }
    result = s.Reshape(result, *sizes);
    if (type == DataType::kFloat32) return s.Become(kIdentity, {result});
    return s.Become(kCast, {result}, Steps::With("to", ElementTypeCode(type)));
  }

 private:
  static constexpr OpKind kKinds[] = {kScatterND};
};

}  // namespace

std::unique_ptr<Rule> MakePickByComparison() { return std::make_unique<PickByComparison>(); }
std::unique_ptr<Rule> MakeScatterRowsByProduct() { return std::make_unique<ScatterRowsByProduct>(); }

}  // namespace slipway
