#include <algorithm>
#include <array>
#include <cstdint>

#include "common/base/error.h"
#include "convert/targets/ncnn/legalize/compose.h"
#include "convert/targets/ncnn/legalize/legalize.h"

namespace slipway::ncnn {
namespace {

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

constexpr size_t kMostRuns = 256;

// Gather of one constant index, or of a run of them, is a cut; of several runs, cuts put together.
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
      if (runs.size() > kMostRuns) return false;
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
};

}  // namespace

std::unique_ptr<Rule> MakeSplitStridedSlice() { return std::make_unique<SplitStridedSlice>(); }
std::unique_ptr<Rule> MakeGatherToSlice() { return std::make_unique<GatherToSlice>(); }

}  // namespace slipway::ncnn
