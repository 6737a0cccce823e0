#include <algorithm>
#include <array>
#include <cstdint>

#include "common/base/error.h"
#include "convert/targets/ncnn/legalize/compose.h"
#include "convert/targets/ncnn/legalize/legalize.h"

namespace slipway::ncnn {
namespace {

constexpr size_t kMostRuns = 256;
constexpr int64_t kMostPicked = int64_t{1} << 20;

// Steps over an image's height and width → Slice with steps of 1, then a pool over windows of one element.
class SplitStridedSlice final : public Rule {
 public:
  std::string_view name() const override { return "split-strided-slice"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kSlice};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& slice) const override {
    Value* x = slice.input(0);
    if (x->rank() != 4 || slice.constant(1) == nullptr || slice.constant(2) == nullptr ||
        slice.constant(3) == nullptr || slice.constant(4) == nullptr)
      return false;
    const std::vector<int64_t> axes = slice.constant(3)->ToInt64s();
    const std::vector<int64_t> steps = slice.constant(4)->ToInt64s();
    std::vector<int64_t> strides = {1, 1};
    for (size_t i = 0; i < axes.size(); ++i) {
      const int64_t axis = axes[i] < 0 ? axes[i] + 4 : axes[i];
      if (steps[i] < 1 || (steps[i] > 1 && axis < 2)) return false;
      if (axis >= 2) strides[static_cast<size_t>(axis - 2)] = steps[i];
    }
    if (strides == std::vector<int64_t>{1, 1}) return false;
    Composer compose(graph, slice);
    Value* whole = compose.Add(OpKind::kSlice, {x, slice.input(1), slice.input(2), slice.input(3)});
    Attributes attributes;
    attributes.Set("kernel_shape", std::vector<int64_t>{1, 1});
    attributes.Set("strides", strides);
    return compose.Finish(OpKind::kMaxPool, {whole}, std::move(attributes));
  }
};

// Steps over other axes of known size: rows of `step` elements, of which one column is cut; a Gather where the last row would reach beyond the data.
class StepByColumn final : public Rule {
 public:
  std::string_view name() const override { return "step-by-column"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kSlice};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& slice) const override {
    Value* x = slice.input(0);
    const auto in = x->shape ? StaticShape(*x->shape) : std::nullopt;
    if (!in || slice.constant(1) == nullptr || slice.constant(2) == nullptr || slice.constant(3) == nullptr ||
        slice.constant(4) == nullptr)
      return false;
    std::vector<int64_t> starts = slice.constant(1)->ToInt64s(), ends = slice.constant(2)->ToInt64s(),
                         axes = slice.constant(3)->ToInt64s(), steps = slice.constant(4)->ToInt64s();
    const auto stepped = std::ranges::find_if(steps, [](int64_t step) { return step > 1; });
    if (stepped == steps.end()) return false;
    const auto which = stepped - steps.begin();
    const auto axis = static_cast<size_t>(axes[which] < 0 ? axes[which] + x->rank() : axes[which]);
    const int64_t size = (*in)[axis], step = *stepped;
    const auto bound = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + size : at, 0, size); };
    const int64_t start = bound(starts[which]), count = (bound(ends[which]) - start + step - 1) / step;
    // The rows may begin before the first element that is wanted, and reach no further than the data.
    const int64_t first = std::min(start, size - count * step);
    const bool rows_fit = first >= 0 && start - first < step;
    if (count < 1 || (!rows_fit && count > static_cast<int64_t>(kMostRuns))) return false;
    int64_t outer = 1, inner = 1;
    for (size_t i = 0; i < axis; ++i) outer *= (*in)[i];
    for (size_t i = axis + 1; i < in->size(); ++i) inner *= (*in)[i];
    Composer c(graph, slice);
    const auto ints = [&](std::vector<int64_t> values) { return c.Constant(Tensor::Int64s(values)); };
    const auto cut = [&](Value* value, int64_t begin, int64_t end, int64_t along) {
      return c.Add(OpKind::kSlice, {value, ints({begin}), ints({end}), ints({along})});
    };
    std::vector<int64_t> shape = *in;
    shape[axis] = count;
    Value* picked = nullptr;
    if (rows_fit) {
      Value* rows = x;
      if (first != 0 || count * step != size) rows = cut(x, first, first + count * step, static_cast<int64_t>(axis));
      rows = c.Add(OpKind::kReshape, {rows, ints({outer, count, step * inner})});
      picked =
          c.Add(OpKind::kReshape, {cut(rows, (start - first) * inner, (start - first + 1) * inner, 2), ints(shape)});
    } else {
      std::vector<int64_t> places;
      for (int64_t i = 0; i < count; ++i) places.push_back(start + i * step);
      Attributes along;
      along.Set("axis", static_cast<int64_t>(axis));
      picked = c.Add(OpKind::kGather, {x, ints(places)}, std::move(along));
    }
    // The other axes' bounds stay.
    for (auto* list : {&starts, &ends, &axes, &steps}) list->erase(list->begin() + which);
    if (starts.empty()) return c.Finish(OpKind::kIdentity, {picked});
    return c.Finish(OpKind::kSlice, {picked, ints(starts), ints(ends), ints(axes), ints(steps)});
  }
};

// Gather of one constant index, or of a run of them, is a cut; of several runs, cuts put together; of very many, a product with a matrix.
class GatherToSlice final : public Rule {
 public:
  std::string_view name() const override { return "gather-to-slice"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kGather};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& gather) const override {
    Value* x = gather.input(0);
    const Tensor* indices = gather.constant(1);
    if (indices == nullptr || indices->rank() > 1 || indices->size() == 0 || x->rank() < 1) return false;
    int64_t axis = gather.attributes.Int("axis", 0);
    if (axis < 0) axis += x->rank();
    const Dim& dim = (*x->shape)[static_cast<size_t>(axis)];
    std::vector<int64_t> at = indices->ToInt64s();
    for (int64_t& index : at) {
      if (index >= 0) continue;
      if (!dim.IsKnown()) return false;
      index += dim.value();
    }
    // Runs of neighbours.
    std::vector<std::pair<int64_t, int64_t>> runs;
    for (const int64_t index : at) {
      if (!runs.empty() && runs.back().second == index) {
        ++runs.back().second;
      } else {
        runs.emplace_back(index, index + 1);
      }
    }
    Composer compose(graph, gather);
    if (runs.size() > 1) {
      if (runs.size() > kMostRuns) return PickByMatrix(graph, gather, at, static_cast<size_t>(axis));
      std::vector<Value*> parts;
      for (const auto& [from, to] : runs) {
        parts.push_back(compose.Add(
            OpKind::kSlice, {x, compose.Constant(Tensor::Int64s({from})), compose.Constant(Tensor::Int64s({to})),
                             compose.Constant(Tensor::Int64s({axis}))}));
      }
      Attributes attributes;
      attributes.Set("axis", axis);
      return compose.Finish(OpKind::kConcat, parts, std::move(attributes));
    }
    const std::vector<Value*> bounds = {x, compose.Constant(Tensor::Int64s({at.front()})),
                                        compose.Constant(Tensor::Int64s({at.back() + 1})),
                                        compose.Constant(Tensor::Int64s({axis}))};
    if (indices->rank() == 1) return compose.Finish(OpKind::kSlice, bounds);
    Value* cut = compose.Add(OpKind::kSlice, bounds);
    return compose.Finish(OpKind::kSqueeze, {cut, compose.Constant(Tensor::Int64s({axis}))});
  }

 private:
  // A row of zeros and a one for each index.
  static absl::StatusOr<bool> PickByMatrix(Graph& graph, Node& gather, const std::vector<int64_t>& at, size_t axis) {
    Value* x = gather.input(0);
    auto shape = StaticShape(*x->shape);
    if (!shape || x->type != DataType::kFloat32) return false;
    const int64_t size = (*shape)[axis], count = static_cast<int64_t>(at.size());
    if (size < 1 || count > kMostPicked / size) return false;
    std::vector<float> picks(static_cast<size_t>(count * size), 0.0f);
    for (size_t i = 0; i < at.size(); ++i) picks[i * static_cast<size_t>(size) + static_cast<size_t>(at[i])] = 1;
    Composer c(graph, gather);
    Value* picked = TimesMatrix(c, x, *shape, axis, Tensor::From({count, size}, picks));
    return c.Finish(OpKind::kIdentity, {picked});
  }
};

}  // namespace

std::unique_ptr<Rule> MakeSplitStridedSlice() { return std::make_unique<SplitStridedSlice>(); }
std::unique_ptr<Rule> MakeStepByColumn() { return std::make_unique<StepByColumn>(); }
std::unique_ptr<Rule> MakeGatherToSlice() { return std::make_unique<GatherToSlice>(); }

}  // namespace slipway::ncnn
