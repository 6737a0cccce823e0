#include <algorithm>
#include <array>

#include "convert/ir/cast.h"
#include "convert/passes/steps.h"
#include "convert/targets/ncnn/legalize/legalize.h"
#include "convert/targets/ncnn/ops/ops.h"

namespace slipway::ncnn {
namespace {

using enum OpKind;

// As many comparisons as a table of 30,000 words takes for a text of 128.
constexpr int64_t kMostPairs = int64_t{1} << 22;

// Casts from one type of whole numbers to another change nothing in a table's indices: an Embed layer reads what the input holds.
class EmbedInput final : public Rule {
 public:
  std::string_view name() const override { return "embed-input"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    Value* indices = node.input(1);
    if (indices->producer == nullptr || indices->producer->kind != kCast) return false;
    Value* input = indices->producer->input(0);
    if (!IsGraphInput(*input) || !IsInteger(input->type) || !IsInteger(indices->type)) return false;
    graph.SetInput(&node, 1, input);
    return true;
  }

 private:
  static bool IsGraphInput(const Value& value) { return value.producer == nullptr && !value.IsConstant(); }
  static constexpr OpKind kKinds[] = {kGather};
};

// Gather by computed indices: a product with what is 1 where index and place meet.
class GatherByProduct final : public Rule {
 public:
  std::string_view name() const override { return "gather-by-product"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    Value *x = node.input(0), *indices = node.input(1);
    if (indices->IsConstant() || !x->shape || !indices->shape || x->rank() < 1 || ReadsEmbedding(node)) return false;
    const auto sizes = StaticShape(*x->shape), picks = StaticShape(*indices->shape);
    if (!sizes || !picks || (x->type != DataType::kFloat32 && !IsInteger(x->type))) return false;
    const int64_t given = node.attributes.Int("axis", 0), axis = given < 0 ? given + x->rank() : given;
    const int64_t n = (*sizes)[static_cast<size_t>(axis)], count = ElementCount(*picks);
    int64_t outer = 1, inner = 1;
    for (int64_t i = 0; i < x->rank(); ++i) {
      if (i != axis) (i < axis ? outer : inner) *= (*sizes)[static_cast<size_t>(i)];
    }
    if (n < 1 || count < 1 || outer < 1 || inner < 1 || n > kMostPairs / count) return false;
    Steps s(graph, node);
    const DataType type = x->type;
    if (x->IsConstant() && type != DataType::kFloat32) {
      x = s.Constant(x->constant->Cast(DataType::kFloat32));
    } else if (type != DataType::kFloat32) {
      x = s.Cast(x, DataType::kFloat32);
    }
    Value* hit = s.Op(kOneHot, {s.Reshape(indices, {count}), s.Ints({n}), s.Constant(Tensor::Float32s({0, 1}))});
    std::vector<int64_t> shape(sizes->begin(), sizes->begin() + axis);
    shape.insert(shape.end(), picks->begin(), picks->end());
    shape.insert(shape.end(), sizes->begin() + axis + 1, sizes->end());
    Value* table =
        x->IsConstant()
            ? s.Constant(x->constant->Reshaped(outer == 1 ? std::vector{n, inner} : std::vector{outer, n, inner}))
            : s.Reshape(x, outer == 1 ? std::vector{n, inner} : std::vector{outer, n, inner});
    if (outer > 1) {
      // One matrix for all: the same indices for each.
      hit = s.Op(kExpand, {s.Reshape(hit, {1, count, n}), s.Ints({outer, count, n})});
    }
    Value* picked = s.Op(kMatMul, {hit, table});
    if (type == DataType::kFloat32) return s.Become(kReshape, {picked, s.Ints(shape)});
    return s.Become(kCast, {s.Reshape(picked, shape)}, Steps::With("to", ElementTypeCode(type)));
  }

 private:
  static constexpr OpKind kKinds[] = {kGather};
};

// GatherND by computed indices: one index into the axes that they name, laid out as one.
class GatherByFlatIndex final : public Rule {
 public:
  std::string_view name() const override { return "gather-by-flat-index"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    Value *x = node.input(0), *indices = node.input(1);
    if (indices->IsConstant() || !x->shape || !indices->shape || indices->rank() < 1) return false;
    const auto sizes = StaticShape(*x->shape), places = StaticShape(*indices->shape);
    if (!sizes || !places) return false;
    const auto batch = static_cast<size_t>(node.attributes.Int("batch_dims", 0));
    const auto depth = static_cast<size_t>(places->back());
    if (depth < 1 || batch + depth > sizes->size()) return false;
    // Batches become further axes that the index names: each point knows its own.
    std::vector<float> named(sizes->begin() + static_cast<int64_t>(batch),
                             sizes->begin() + static_cast<int64_t>(batch + depth));
    std::vector<float> strides(depth, 1);
    for (size_t i = depth; i-- > 1;) strides[i - 1] = strides[i] * named[i];
    int64_t rows = 1, block = 1;
    for (size_t i = 0; i < batch + depth; ++i) (i < batch ? rows : block) *= (*sizes)[i];
    rows *= block;
    std::vector<int64_t> points(places->begin(), places->end() - 1), flat = {rows};
    flat.insert(flat.end(), sizes->begin() + static_cast<int64_t>(batch + depth), sizes->end());
    if (rows < 1 || ElementCount(points) < 1) return false;
    const auto count = ElementCount(points);

    Steps s(graph, node);
    Value* index = s.Reshape(s.Cast(indices, DataType::kFloat32), {count, static_cast<int64_t>(depth)});
    Value* wrapped = s.Op(kAdd, {index, s.Constant(Tensor::From({1, static_cast<int64_t>(depth)}, named))});
    index = s.Op(kWhere, {s.Op(kLess, {index, s.Number(0)}), wrapped, index});
    index =
        s.Op(kReduceSum,
             {s.Op(kMul, {index, s.Constant(Tensor::From({1, static_cast<int64_t>(depth)}, strides))}), s.Ints({1})},
             Steps::With("keepdims", int64_t{0}));
    if (batch > 0) {
      int64_t batches = 1;
      for (size_t i = 0; i < batch; ++i) batches *= (*sizes)[i];
      std::vector<float> starts;
      for (int64_t i = 0; i < count; ++i) starts.push_back(static_cast<float>(i / (count / batches) * block));
      index = s.Op(kAdd, {index, s.Constant(Tensor::Float32s(starts))});
    }
    index = s.Reshape(s.Cast(index, DataType::kInt64), points);
    return s.Become(kGather, {s.Reshape(x, flat), index}, Steps::With("axis", int64_t{0}));
  }

 private:
  static constexpr OpKind kKinds[] = {kGatherND};
};

}  // namespace

std::unique_ptr<Rule> MakeEmbedInput() { return std::make_unique<EmbedInput>(); }
std::unique_ptr<Rule> MakeGatherByProduct() { return std::make_unique<GatherByProduct>(); }
std::unique_ptr<Rule> MakeGatherByFlatIndex() { return std::make_unique<GatherByFlatIndex>(); }

}  // namespace slipway::ncnn
