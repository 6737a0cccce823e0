#include <array>
#include <numeric>

#include "common/base/error.h"
#include "convert/ir/cast.h"
#include "convert/passes/shapes.h"
#include "convert/targets/ncnn/legalize/compose.h"
#include "convert/targets/ncnn/legalize/legalize.h"

namespace slipway::ncnn {
namespace {

constexpr int64_t kMostPairs = int64_t{1} << 22;

Attributes With(std::string_view name, AttributeValue value) {
  Attributes attributes;
  attributes.Set(name, std::move(value));
  return attributes;
}

std::vector<float> Counts(int64_t n) {
  std::vector<float> counts(static_cast<size_t>(n));
  std::iota(counts.begin(), counts.end(), 0.0f);
  return counts;
}

// TopK: an element's rank is how many are greater, or equal and before it; then those of ranks 0 … k - 1 are picked, by products with what is 1 at the rank.
class RankByComparison final : public Rule {
 public:
  std::string_view name() const override { return "rank-by-comparison"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kTopK};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& top) const override {
    Value* x = top.input(0);
    const Tensor* wanted = top.constant(1);
    if (x->type != DataType::kFloat32 || x->rank() < 1 || !x->shape || !IsStatic(*x->shape) || wanted == nullptr ||
        wanted->size() != 1)
      return false;
    const std::vector<int64_t> shape = *StaticShape(*x->shape);
    const auto rank = static_cast<int64_t>(shape.size());
    const int64_t given = top.attributes.Int("axis", -1), axis = given < 0 ? given + rank : given;
    const int64_t n = shape[static_cast<size_t>(axis)], rows = ElementCount(shape) / std::max<int64_t>(n, 1);
    const int64_t k = wanted->ToInt64s()[0];
    if (n < 1 || k < 1 || k > n || rows > kMostPairs / n / n) return false;

    std::vector<int64_t> swap(static_cast<size_t>(rank));
    std::iota(swap.begin(), swap.end(), int64_t{0});
    std::swap(swap[static_cast<size_t>(axis)], swap.back());
    std::vector<int64_t> moved = shape;
    std::swap(moved[static_cast<size_t>(axis)], moved.back());
    moved.back() = k;
    // The results as they are made: nodes before `top`, under names of its results.
    const std::string base = (top.output(0) != nullptr ? top.output(0) : top.output(1))->name + "_part";
    absl::Status failure;
    const auto op = [&](OpKind kind, std::vector<Value*> inputs, Attributes attributes = {}) -> Value* {
      if (!failure.ok()) return nullptr;
      auto added = AddInferred(graph, kind, std::move(inputs), base, std::move(attributes), &top);
      if (!added.ok()) failure = added.status();
      return added.ok() ? (*added)->output() : nullptr;
    };
    const auto constant = [&](Tensor tensor) { return graph.AddConstant(base, std::move(tensor)); };
    const auto shaped = [&](Value* value, std::vector<int64_t> sizes) {
      return op(OpKind::kReshape, {value, constant(Tensor::Int64s(sizes))});
    };
    const auto number = [&](Value* value) {
      return op(OpKind::kCast, {value}, With("to", ElementTypeCode(DataType::kFloat32)));
    };
    const auto sum_of_last = [&](Value* value) {
      return op(OpKind::kReduceSum, {value, constant(Tensor::Int64s({2}))}, With("keepdims", int64_t{0}));
    };
    Value* data = axis + 1 == rank ? x : op(OpKind::kTranspose, {x}, With("perm", swap));
    Value* keys = top.attributes.Int("largest", 1) == 0 ? op(OpKind::kNeg, {data}) : data;
    Value *across = shaped(keys, {rows, 1, n}), *down = shaped(keys, {rows, n, 1});
    Value* difference = op(OpKind::kSub, {across, down});  // [row, i, j]: element j - element i
    Value* zero = constant(Tensor::Scalar(0.0f));
    Value* greater = number(op(OpKind::kGreater, {difference, zero}));
    Value* apart = number(op(OpKind::kGreater, {op(OpKind::kAbs, {difference}), zero}));
    std::vector<float> before(static_cast<size_t>(n * n), 0.0f);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < i; ++j) before[static_cast<size_t>(i * n + j)] = 1;
    }
    Value* equal = op(OpKind::kSub, {constant(Tensor::Scalar(1.0f)), apart});
    Value* tie = op(OpKind::kMul, {equal, constant(Tensor::From<float>({1, n, n}, before))});
    Value* ranks = shaped(sum_of_last(op(OpKind::kAdd, {greater, tie})), {rows, 1, n});
    Value* off = op(OpKind::kAbs, {op(OpKind::kSub, {ranks, constant(Tensor::From<float>({1, k, 1}, Counts(k)))})});
    Value* hit = op(OpKind::kSub, {constant(Tensor::Scalar(1.0f)),
                                   number(op(OpKind::kGreater, {off, constant(Tensor::Scalar(0.5f))}))});
    std::vector<std::pair<Value*, std::string>> renames;
    for (size_t i = 0; i < 2; ++i) {
      Value* output = top.output(i);
      if (output == nullptr) continue;
      Value* numbers = i == 0 ? shaped(data, {rows, 1, n}) : constant(Tensor::From<float>({1, 1, n}, Counts(n)));
      Value* result = shaped(sum_of_last(op(OpKind::kMul, {hit, numbers})), moved);
      if (axis + 1 != rank) result = op(OpKind::kTranspose, {result}, With("perm", swap));
      if (i == 1) result = op(OpKind::kCast, {result}, With("to", ElementTypeCode(DataType::kInt64)));
      RETURN_IF_ERROR(failure);
      result->origin = output->origin;
      graph.ReplaceUses(output, result);
      renames.emplace_back(result, output->name);
    }
    RETURN_IF_ERROR(failure);
    graph.RemoveNode(&top);
    for (const auto& [value, name] : renames) graph.Rename(value, name);
    return true;
  }
};

// OneHot: numbered places compared with the index, which may count from the end.
class OneHotByComparison final : public Rule {
 public:
  std::string_view name() const override { return "one-hot-by-comparison"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kOneHot};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    Value* index = node.input(0);
    const Tensor *depth = node.constant(1), *values = node.constant(2);
    if (depth == nullptr || values == nullptr || values->size() != 2 || index->rank() < 0) return false;
    const int64_t n = depth->ToInt64s()[0], rank = index->rank() + 1;
    const int64_t given = node.attributes.Int("axis", -1), axis = given < 0 ? given + rank : given;
    if (n < 1 || n > (int64_t{1} << 16)) return false;
    std::vector<int64_t> along(static_cast<size_t>(rank), 1);
    along[static_cast<size_t>(axis)] = n;
    const std::vector<double> levels = values->ToDoubles();
    Composer c(graph, node);
    if (index->type != DataType::kFloat32)
      index = c.Add(OpKind::kCast, {index}, With("to", ElementTypeCode(DataType::kFloat32)));
    Value* column = c.Add(OpKind::kUnsqueeze, {index, c.Constant(Tensor::Int64s({axis}))});
    const auto apart_from = [&](float shift) {
      std::vector<float> places = Counts(n);
      for (float& place : places) place += shift;
      Value* difference = c.Add(OpKind::kSub, {column, c.Constant(Tensor::From(along, places))});
      Value* apart = c.Add(OpKind::kGreater, {c.Add(OpKind::kAbs, {difference}), c.Constant(0.5f)});
      return c.Add(OpKind::kCast, {apart}, With("to", ElementTypeCode(DataType::kFloat32)));
    };
    // 1 at all places but the index'.
    Value* cold = c.Add(OpKind::kMul, {apart_from(0), apart_from(static_cast<float>(-n))});
    Value* scaled = c.Add(OpKind::kMul, {cold, c.Constant(static_cast<float>(levels[0] - levels[1]))});
    return c.Finish(OpKind::kCast, {c.Add(OpKind::kAdd, {scaled, c.Constant(static_cast<float>(levels[1]))})},
                    With("to", ElementTypeCode(node.output()->type)));
  }
};

}  // namespace

std::unique_ptr<Rule> MakeRankByComparison() { return std::make_unique<RankByComparison>(); }
std::unique_ptr<Rule> MakeOneHotByComparison() { return std::make_unique<OneHotByComparison>(); }

}  // namespace slipway::ncnn
