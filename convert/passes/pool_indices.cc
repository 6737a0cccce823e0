#include "convert/passes/pool_indices.h"

#include <algorithm>
#include <limits>

#include "common/base/error.h"
#include "convert/ir/spatial.h"
#include "convert/passes/steps.h"
#include "convert/passes/table.h"

namespace slipway {
namespace {

using enum OpKind;

constexpr int64_t kMostTaps = 64;
constexpr int64_t kExact = int64_t{1} << 24;  // whole numbers in float32

class PoolIndicesByComparison final : public Rule {
 public:
  std::string_view name() const override { return "pool-indices-by-comparison"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& pool) const override {
    Value* x = pool.input(0);
    if (pool.output(1) == nullptr || x->type != DataType::kFloat32 || x->rank() < 3 ||
        ChannelAxis(pool, x->rank()) != 1 || !pool.output(1)->shape)
      return false;
    const absl::StatusOr<SpatialParams> p = ReadSpatialParams(pool);
    if (!p.ok()) return false;
    const Shape in = *x->shape, out = *pool.output(1)->shape;
    const auto rank = static_cast<int64_t>(in.size()), spatial = rank - 2;
    int64_t taps = 1, image = 1;
    for (size_t axis = 1; axis < in.size(); ++axis) {
      if (!in[axis].IsKnown() || !out[axis].IsKnown()) return false;
      if (axis > 1) {
        taps *= p->kernel[axis - 2];
        image *= in[axis].value();
      }
    }
    const int64_t sample = image * in[1].value();
    std::vector<int64_t> grid(in.size(), 1);
    for (size_t i = 2; i < in.size(); ++i) grid[i] = out[i].value();
    if (!IsTableSize(grid) || !IsTableSize({in[1].value()}) || taps > kMostTaps || sample > kExact ||
        (in[0].IsKnown() && in[0].value() * sample > kExact))
      return false;

    const std::string name = pool.output(1)->name;
    Steps s(graph, pool, name);
    Value* greatest = s.Op(kMaxPool, {x}, pool.attributes);
    // What lies beyond the data is less than any of it.
    std::vector<int64_t> pads(2 * in.size(), 0), strides(static_cast<size_t>(spatial), 1);
    const bool by_columns = pool.attributes.Int("storage_order", 0) != 0;  // the first axis runs fastest
    for (int64_t i = 1; by_columns && i < spatial; ++i)
      strides[static_cast<size_t>(i)] = strides[static_cast<size_t>(i - 1)] * in[static_cast<size_t>(i + 1)].value();
    for (int64_t i = spatial - 1; !by_columns && i > 0; --i)
      strides[static_cast<size_t>(i - 1)] = strides[static_cast<size_t>(i)] * in[static_cast<size_t>(i + 2)].value();
    bool padded = false;
    for (size_t i = 0; i < static_cast<size_t>(spatial); ++i) {
      const int64_t needed =
          (out[i + 2].value() - 1) * p->strides[i] + (p->kernel[i] - 1) * p->dilations[i] + 1 - p->pads_begin[i];
      pads[i + 2] = p->pads_begin[i];
      pads[i + 2 + in.size()] = std::max<int64_t>(0, needed - in[i + 2].value());
      padded |= pads[i + 2] != 0 || pads[i + 2 + in.size()] != 0;
    }
    if (padded) x = s.Op(kPad, {x, s.Ints(pads), s.Number(std::numeric_limits<float>::lowest())});
    // From the last element of the window to the first: the first that is the maximum stays.
    Value* place = nullptr;
    for (int64_t tap = taps; tap-- > 0;) {
      std::vector<int64_t> at(static_cast<size_t>(spatial)), ends, axes, steps;
      int64_t rest = tap, offset = 0;
      for (size_t i = at.size(); i-- > 0; rest /= p->kernel[i]) at[i] = rest % p->kernel[i] * p->dilations[i];
      for (size_t i = 0; i < at.size(); ++i) {
        offset += at[i] * strides[i];
        ends.push_back(at[i] + (out[i + 2].value() - 1) * p->strides[i] + 1);
        axes.push_back(static_cast<int64_t>(i) + 2);
        steps.push_back(p->strides[i]);
      }
      if (place == nullptr) {
        place = s.Number(static_cast<double>(offset));
        continue;
      }
      Value* element = s.Op(kSlice, {x, s.Ints(at), s.Ints(ends), s.Ints(axes), s.Ints(steps)});
      place = s.Op(kWhere, {s.Op(kEqual, {element, greatest}), s.Number(static_cast<double>(offset)), place});
    }
    // Where the window begins, its channel and its sample.
    std::vector<float> begins(static_cast<size_t>(ElementCount(grid)));
    for (size_t k = 0; k < begins.size(); ++k) {
      auto rest = static_cast<int64_t>(k);
      for (size_t i = static_cast<size_t>(spatial); i-- > 0; rest /= grid[i + 2])
        begins[k] += static_cast<float>((rest % grid[i + 2] * p->strides[i] - p->pads_begin[i]) * strides[i]);
    }
    std::vector<int64_t> of_channels(in.size(), 1);
    of_channels[1] = in[1].value();
    std::vector<float> channels;
    for (int64_t c = 0; c < in[1].value(); ++c) channels.push_back(static_cast<float>(c * image));
    place = s.Op(kAdd, {place, s.Constant(Tensor::From(grid, begins))});
    place = s.Op(kAdd, {place, s.Constant(Tensor::From(of_channels, channels))});
    if (!(in[0] == Dim(1))) place = s.Op(kAdd, {place, Samples(s, pool.input(0), in[0], sample)});
    if (!(place == nullptr) && place->shape && !(*place->shape == out)) {
      // A window of one element: nothing was compared that has the result's sizes.
      place = s.Op(kAdd, {place, s.Op(kMul, {greatest, s.Number(0)})});
    }
    Value* index = s.Cast(place, DataType::kInt64);
    std::vector<std::pair<Value*, Value*>> results;
    if (pool.output(0) != nullptr) results.emplace_back(pool.output(0), greatest);
    results.emplace_back(pool.output(1), index);
    return s.Replace(results);
  }

 private:
  // 0, sample, 2 · sample, … along the batch, counted where its size is not known (x < x is false whatever x is).
  static Value* Samples(Steps& s, Value* x, const Dim& batch, int64_t sample) {
    const auto rank = static_cast<size_t>(x->rank());
    std::vector<int64_t> shape(rank, 1);
    if (batch.IsKnown()) {
      shape[0] = batch.value();
      std::vector<float> begins;
      for (int64_t n = 0; n < batch.value(); ++n) begins.push_back(static_cast<float>(n * sample));
      return s.Constant(Tensor::From(shape, begins));
    }
    std::vector<int64_t> axes, zeros(rank - 1, 0), ones(rank - 1, 1);
    for (size_t i = 1; i < rank; ++i) axes.push_back(static_cast<int64_t>(i));
    Value* line = s.Op(kSlice, {x, s.Ints(zeros), s.Ints(ones), s.Ints(axes)});
    Value* one = s.Cast(s.Op(kNot, {s.Op(kLess, {line, line})}), DataType::kFloat32);
    Value* count = s.Op(kSub, {s.Op(kCumSum, {one, s.Int(0)}), s.Number(1)});
    return s.Op(kMul, {count, s.Number(static_cast<double>(sample))});
  }

  static constexpr OpKind kKinds[] = {kMaxPool};
};

}  // namespace

std::unique_ptr<Rule> MakePoolIndicesByComparison() { return std::make_unique<PoolIndicesByComparison>(); }

}  // namespace slipway
