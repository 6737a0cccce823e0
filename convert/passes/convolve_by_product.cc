#include "convert/passes/convolve_by_product.h"

#include <algorithm>
#include <numeric>

#include "common/base/error.h"
#include "convert/ir/spatial.h"
#include "convert/passes/steps.h"

namespace slipway {
namespace {

using enum OpKind;

constexpr int64_t kMostTaps = 256;

class ConvolveByProduct final : public Rule {
 public:
  std::string_view name() const override { return "convolve-by-product"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& conv) const override {
    Value *x = conv.input(0), *weights = conv.input(1), *bias = conv.input(2);
    if (weights->IsConstant() || !x->shape || !weights->shape || !conv.output()->shape || x->rank() < 3 ||
        x->type != DataType::kFloat32 || ChannelAxis(conv, x->rank()) != 1)
      return false;
    const auto sizes = StaticShape(*weights->shape);
    const absl::StatusOr<SpatialParams> p = ReadSpatialParams(conv);
    if (!sizes || !p.ok()) return false;
    const Shape in = *x->shape, out = *conv.output()->shape;
    int64_t taps = 1, places = 1;
    for (size_t i = 1; i < in.size(); ++i) {
      if (!in[i].IsKnown() || !out[i].IsKnown()) return false;
      if (i > 1) {
        taps *= (*sizes)[i];
        places *= out[i].value();
      }
    }
    const int64_t groups = p->groups, outputs = (*sizes)[0], channels = (*sizes)[1];
    if (taps > kMostTaps || places < 1 || outputs % groups != 0) return false;
    const auto spatial = in.size() - 2;

    Steps s(graph, conv);
    std::vector<int64_t> pads(2 * in.size(), 0);
    bool padded = false;
    for (size_t i = 0; i < spatial; ++i) {
      const int64_t needed =
          (out[i + 2].value() - 1) * p->strides[i] + ((*sizes)[i + 2] - 1) * p->dilations[i] + 1 - p->pads_begin[i];
      pads[i + 2] = p->pads_begin[i];
      pads[i + 2 + in.size()] = std::max<int64_t>(0, needed - in[i + 2].value());
      padded |= pads[i + 2] != 0 || pads[i + 2 + in.size()] != 0;
    }
    if (padded) x = s.Op(kPad, {x, s.Ints(pads), s.Number(0)});
    // [N, groups, taps · channels, places], or without groups.
    const bool grouped = groups > 1;
    std::vector<Value*> elements;
    for (int64_t tap = 0; tap < taps; ++tap) {
      std::vector<int64_t> at(spatial), ends, axes, steps;
      int64_t rest = tap;
      for (size_t i = spatial; i-- > 0; rest /= (*sizes)[i + 2]) at[i] = rest % (*sizes)[i + 2] * p->dilations[i];
      for (size_t i = 0; i < spatial; ++i) {
        ends.push_back(at[i] + (out[i + 2].value() - 1) * p->strides[i] + 1);
        axes.push_back(static_cast<int64_t>(i) + 2);
        steps.push_back(p->strides[i]);
      }
      Value* element = s.Op(kSlice, {x, s.Ints(at), s.Ints(ends), s.Ints(axes), s.Ints(steps)});
      elements.push_back(s.Reshape(element, grouped ? std::vector<int64_t>{0, groups, channels, places}
                                                    : std::vector<int64_t>{0, channels, places}));
    }
    Value* columns =
        elements.size() == 1 ? elements[0] : s.Op(kConcat, elements, Steps::With("axis", int64_t{grouped ? 2 : 1}));
    // Weights in the same order: taps, then channels.
    std::vector<int64_t> perm = {0};
    for (size_t i = 0; i < spatial; ++i) perm.push_back(static_cast<int64_t>(i) + 2);
    perm.push_back(1);
    Value* rows = s.Transpose(weights, perm);
    rows = s.Reshape(rows, grouped ? std::vector<int64_t>{groups, outputs / groups, taps * channels}
                                   : std::vector<int64_t>{outputs, taps * channels});
    Value* product = s.Op(kMatMul, {rows, columns});
    std::vector<int64_t> target = {0, outputs};
    if (grouped && out[0].IsKnown()) target[0] = out[0].value();
    for (size_t i = 0; i < spatial; ++i) target.push_back(out[i + 2].value());
    if (bias == nullptr) return s.Become(kReshape, {product, s.Ints(target)});
    std::vector<int64_t> column(in.size(), 1);
    column[1] = outputs;
    return s.Become(kAdd, {s.Reshape(product, target), s.Reshape(bias, column)});
  }

 private:
  static constexpr OpKind kKinds[] = {kConv};
};

}  // namespace

std::unique_ptr<Rule> MakeConvolveByProduct() { return std::make_unique<ConvolveByProduct>(); }

}  // namespace slipway
