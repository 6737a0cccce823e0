#include "convert/passes/upsample.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "common/base/error.h"
#include "convert/ir/spatial.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"
#include "convert/passes/table.h"

namespace slipway {
namespace {

constexpr int64_t kMaxFactor = 16;

// What one result pixel of an axis reads: offset from its own input pixel → weight.
using Taps = std::map<int64_t, double>;

// Keys' cubic convolution kernel with parameter a.
double Cubic(double a, double distance) {
  const double d = std::abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

double Nearest(const std::string& mode, double x) {
  if (mode == "floor") return std::floor(x);
  if (mode == "ceil") return std::ceil(x);
  return mode == "round_prefer_ceil" ? std::floor(x + 0.5) : std::ceil(x - 0.5);
}

// Taps of the factor's result pixels (ONNX, Operators.md: Resize).
std::vector<Taps> TapsOf(const Node& resize, int64_t factor) {
  const std::string mode = resize.attributes.String("mode", "nearest");
  const bool asymmetric = resize.attributes.String("coordinate_transformation_mode", "half_pixel") == "asymmetric";
  const double a = resize.attributes.Float("cubic_coeff_a", -0.75f);
  std::vector<Taps> phases;
  for (int64_t phase = 0; phase < factor; ++phase) {
    const double x = asymmetric ? static_cast<double>(phase) / static_cast<double>(factor)
                                : (static_cast<double>(phase) + 0.5) / static_cast<double>(factor) - 0.5;
    const auto base = static_cast<int64_t>(std::floor(x));
    const double fraction = x - static_cast<double>(base);
    Taps taps;
    if (mode == "nearest") {
      taps[static_cast<int64_t>(Nearest(resize.attributes.String("nearest_mode", "round_prefer_floor"), x))] = 1;
    } else if (mode == "linear") {
      taps = {{base, 1 - fraction}, {base + 1, fraction}};
    } else {
      for (int64_t k = -1; k <= 2; ++k) taps[base + k] = Cubic(a, static_cast<double>(k) - fraction);
    }
    std::erase_if(taps, [](const auto& tap) { return tap.second == 0; });
    phases.push_back(taps);
  }
  return phases;
}

// The whole factor by which both height and width grow; nullopt where there is none.
std::optional<int64_t> WholeFactor(const Node& resize) {
  const Value *x = resize.input(0), *y = resize.output();
  if (x->rank() != 4 || y->rank() != 4) return std::nullopt;
  const Shape &in = *x->shape, &out = *y->shape;
  if (!(in[0] == out[0]) || !(in[1] == out[1])) return std::nullopt;
  const Tensor* scales = resize.constant(2);
  for (int64_t factor = 2; factor <= kMaxFactor; ++factor) {
    if (!(in[2] * Dim(factor) == out[2]) || !(in[3] * Dim(factor) == out[3])) continue;
    // A scale that is given counts, not what it was rounded to.
    if (scales != nullptr && scales->size() != 0) {
      const std::vector<double> given = scales->ToDoubles();
      if (given.size() != 4 || given[2] != static_cast<double>(factor) || given[3] != static_cast<double>(factor))
        return std::nullopt;
    }
    return factor;
  }
  return std::nullopt;
}

bool IsShiftInvariant(const Node& resize) {
  const std::string coordinates = resize.attributes.String("coordinate_transformation_mode", "half_pixel");
  return (coordinates == "half_pixel" || coordinates == "pytorch_half_pixel" || coordinates == "asymmetric") &&
         resize.attributes.Int("antialias", 0) == 0 && resize.attributes.Int("exclude_outside", 0) == 0 &&
         !resize.attributes.Has("axes") && resize.attributes.String("data_layout", "NCHW") == "NCHW";
}

Attributes Shuffle(int64_t block) {
  Attributes attributes;
  attributes.Set("blocksize", block);
  attributes.Set("mode", std::string("CRD"));
  return attributes;
}

}  // namespace

absl::StatusOr<bool> ResizeByConvolution(Graph& graph, Node& resize) {
  Value* x = resize.input(0);
  if (!x->shape || !resize.output()->shape || x->type != DataType::kFloat32 || !IsShiftInvariant(resize)) return false;
  const std::optional<int64_t> factor = WholeFactor(resize);
  if (!factor || !(*x->shape)[1].IsKnown()) return false;
  const std::vector<Taps> phases = TapsOf(resize, *factor);
  int64_t before = 0, after = 0;
  for (const Taps& taps : phases) {
    before = std::max(before, -taps.begin()->first);
    after = std::max(after, taps.rbegin()->first);
  }
  const int64_t window = before + after + 1, channels = (*x->shape)[1].value();
  std::vector<float> weights;
  for (int64_t channel = 0; channel < channels; ++channel) {
    for (const Taps& rows : phases) {
      for (const Taps& columns : phases) {
        const size_t at = weights.size();
        weights.resize(at + static_cast<size_t>(window * window), 0.0f);
        for (const auto& [row, row_weight] : rows) {
          for (const auto& [column, weight] : columns)
            weights[at + static_cast<size_t>((row + before) * window + column + before)] =
                static_cast<float>(row_weight * weight);
        }
      }
    }
  }
  const std::string name = resize.output()->name;
  if (window > 1) {
    Attributes edge;
    edge.Set("mode", std::string("edge"));
    Value* pads = graph.AddConstant(name + "/pads", Tensor::Int64s({0, 0, before, before, 0, 0, after, after}));
    ASSIGN_OR_RETURN(Node * pad, AddInferred(graph, OpKind::kPad, {x, pads}, name + "/padded", edge, &resize));
    x = pad->output();
  }
  Attributes depthwise;
  depthwise.Set("group", channels);
  Value* filters = graph.AddConstant(name + "/filters",
                                     Tensor::From<float>({channels * *factor * *factor, 1, window, window}, weights));
  ASSIGN_OR_RETURN(Node * conv,
                   AddInferred(graph, OpKind::kConv, {x, filters}, name + "/filtered", depthwise, &resize));
  RETURN_IF_ERROR(Rewrite(graph, resize, OpKind::kDepthToSpace, {conv->output()}, Shuffle(*factor)));
  return true;
}

absl::StatusOr<bool> TransposedByConvolution(Graph& graph, Node& transposed) {
  Value* x = transposed.input(0);
  const Tensor* weight = transposed.constant(1);
  if (x->rank() != 4 || weight == nullptr || weight->rank() != 4 || x->type != DataType::kFloat32 ||
      (transposed.input(2) != nullptr && transposed.constant(2) == nullptr) ||
      transposed.attributes.Has("output_shape") || transposed.attributes.Has("activation") ||
      transposed.attributes.String("auto_pad", "NOTSET").starts_with("SAME"))
    return false;
  const absl::StatusOr<SpatialParams> p = ReadSpatialParams(transposed);
  if (!p.ok() || p->channels_last || p->strides[0] != p->strides[1]) return false;
  const int64_t stride = p->strides[0], groups = p->groups;
  const int64_t inputs = weight->shape()[0], outputs = weight->shape()[1];  // of all groups; of one
  std::vector<int64_t> taps(2), extra(2), ends(2);
  for (size_t i = 0; i < 2; ++i) {
    const int64_t reach = (p->kernel[i] - 1) * p->dilations[i] + 1;
    taps[i] = (reach + stride - 1) / stride;
    // What the shuffled result has beyond the wanted one, rows of zeros being added where it has too few.
    const int64_t beyond = taps[i] * stride - reach - p->output_padding[i] + p->pads_end[i];
    extra[i] = beyond < 0 ? (-beyond + stride - 1) / stride : 0;
    const int64_t cut = beyond + extra[i] * stride;
    ends[i] = cut == 0 ? INT64_MAX : -cut;
  }
  // Result pixel q × stride + r of an axis is the sum over j of x[q - j] × weight[j × stride + r].
  const std::vector<float> source = weight->ToFloats();
  const int64_t block = stride * stride, height = taps[0], width = taps[1];
  if (groups > inputs || !IsTableSize({groups, outputs, block, inputs / groups, height, width})) return false;
  const std::vector<int64_t> shape = {groups * outputs * block, inputs / groups, height, width};
  std::vector<float> filters(static_cast<size_t>(ElementCount(shape)), 0.0f);
  for (int64_t in = 0; in < inputs; ++in) {
    const int64_t group = in / (inputs / groups);
    for (int64_t out = 0; out < outputs; ++out) {
      for (int64_t y = 0; y < p->kernel[0]; ++y) {
        for (int64_t z = 0; z < p->kernel[1]; ++z) {
          const int64_t row = y * p->dilations[0], column = z * p->dilations[1];
          const int64_t filter = (group * outputs + out) * block + row % stride * stride + column % stride;
          const int64_t at =
              ((filter * (inputs / groups) + in % (inputs / groups)) * height + height - 1 - row / stride) * width +
              width - 1 - column / stride;
          filters[static_cast<size_t>(at)] =
              source[static_cast<size_t>(((in * outputs + out) * p->kernel[0] + y) * p->kernel[1] + z)];
        }
      }
    }
  }
  const std::string name = transposed.output()->name;
  std::vector<Value*> operands = {x, graph.AddConstant(name + "/filters", Tensor::From<float>(shape, filters))};
  if (transposed.input(2) != nullptr) {
    std::vector<float> bias;
    for (const float value : transposed.constant(2)->ToFloats())
      bias.insert(bias.end(), static_cast<size_t>(block), value);
    const auto count = static_cast<int64_t>(bias.size());
    operands.push_back(graph.AddConstant(name + "/bias", Tensor::From<float>({count}, bias)));
  }
  Attributes attributes;
  attributes.Set("group", groups);
  attributes.Set("pads", std::vector<int64_t>{height - 1, width - 1, height - 1 + extra[0], width - 1 + extra[1]});
  ASSIGN_OR_RETURN(Node * conv,
                   AddInferred(graph, OpKind::kConv, operands, name + "/filtered", attributes, &transposed));
  Value* result = conv->output();
  if (stride > 1) {
    ASSIGN_OR_RETURN(Node * shuffle, AddInferred(graph, OpKind::kDepthToSpace, {result}, name + "/shuffled",
                                                 Shuffle(stride), &transposed));
    result = shuffle->output();
  }
  RETURN_IF_ERROR(Rewrite(graph, transposed, OpKind::kSlice,
                          {result, graph.AddConstant(name + "/starts", Tensor::Int64s(p->pads_begin)),
                           graph.AddConstant(name + "/ends", Tensor::Int64s(ends)),
                           graph.AddConstant(name + "/axes", Tensor::Int64s({2, 3}))},
                          {}));
  return true;
}

}  // namespace slipway
