#include <algorithm>
#include <numeric>

#include "common/base/error.h"
#include "convert/ir/spatial.h"
#include "convert/passes/match.h"
#include "convert/passes/table.h"
#include "convert/targets/tflite/legalize/legalize.h"

namespace slipway::tflite {
namespace {

using enum OpKind;

bool AnyNot(const std::vector<int64_t>& values, int64_t number) {
  return std::any_of(values.begin(), values.end(), [&](int64_t value) { return value != number; });
}

// Zeros between the weights are what a dilation is.
absl::StatusOr<bool> DilateWeights(Graph& graph, Node& node) {
  const absl::StatusOr<SpatialParams> p = ReadSpatialParams(node);
  if (!p.ok() || p->rank != 2 || !AnyNot(p->dilations, 1) || node.constant(1) == nullptr) return false;
  const Tensor weight = node.constant(1)->Cast(DataType::kFloat32);
  const int64_t rows = weight.shape()[0] * weight.shape()[1], h = p->kernel[0], w = p->kernel[1];
  const int64_t height = (h - 1) * p->dilations[0] + 1, width = (w - 1) * p->dilations[1] + 1;
  if (!IsTableSize({rows, height, width})) return false;
  auto [dilated, bytes] = Tensor::Allocate(DataType::kFloat32, {weight.shape()[0], weight.shape()[1], height, width});
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t y = 0; y < h; ++y) {
      for (int64_t x = 0; x < w; ++x) {
        const float value = weight.At<float>((row * h + y) * w + x);
        std::memcpy(bytes.data() + ((row * height + y * p->dilations[0]) * width + x * p->dilations[1]) *
                                       static_cast<int64_t>(sizeof(value)),
                    &value, sizeof(value));
      }
    }
  }
  Expansion e(graph, node);
  Attributes attributes = node.attributes;
  attributes.Erase("dilations");
  attributes.Set("kernel_shape", std::vector<int64_t>{height, width});
  std::vector<Value*> inputs = node.inputs;
  inputs[1] = e.Constant(dilated);
  return e.Become(kConvTranspose, inputs, attributes);
}

Tensor Rows(const Tensor& tensor, int64_t begin, int64_t count) {
  std::vector<int64_t> shape = tensor.shape();
  const size_t row = tensor.bytes().size() / static_cast<size_t>(shape[0]);
  shape[0] = count;
  auto [result, bytes] = Tensor::Allocate(tensor.type(), shape);
  std::memcpy(bytes.data(), tensor.bytes().data() + static_cast<size_t>(begin) * row, static_cast<size_t>(count) * row);
  return result;
}

absl::StatusOr<bool> SplitGroups(Graph& graph, Node& node) {
  const int64_t groups = node.attributes.Int("group", 1), rank = node.input(0)->rank();
  if (groups == 1 || node.constant(1) == nullptr || rank < 4 || rank > 5 ||
      (node.input(2) != nullptr && node.constant(2) == nullptr))
    return false;
  const Tensor& weight = *node.constant(1);
  const int64_t in = weight.shape()[0] / groups, out = weight.shape()[1];
  const int64_t axis = ChannelAxis(node, rank);
  Expansion e(graph, node);
  Attributes attributes = node.attributes;
  attributes.Erase("group");
  std::vector<Value*> parts;
  for (int64_t group = 0; group < groups; ++group) {
    Value* data = e.Op(kSlice, {node.input(0), e.Axes({group * in}), e.Axes({(group + 1) * in}), e.Axes({axis})});
    std::vector<Value*> inputs = {data, e.Constant(Rows(weight, group * in, in))};
    if (node.input(2) != nullptr) inputs.push_back(e.Constant(Rows(*node.constant(2), group * out, out)));
    parts.push_back(e.Op(kConvTranspose, inputs, attributes));
  }
  return e.Become(kConcat, parts, With("axis", axis));
}

// Without pads the whole result is made, then cut. Output padding stays: TRANSPOSE_CONV is told its result's size.
absl::StatusOr<bool> WithoutPads(Graph& graph, Node& node) {
  const absl::StatusOr<SpatialParams> p = ReadSpatialParams(node);
  if (!p.ok() || !p->channels_last || p->rank < 2) return false;
  const auto rank = static_cast<size_t>(p->rank);
  std::vector<int64_t> begin = p->pads_begin, end = p->pads_end, extra = p->output_padding;
  const std::vector<int64_t> wanted = node.attributes.Ints("output_shape");
  if (wanted.size() >= rank) {
    const bool upper = node.attributes.String("auto_pad", "NOTSET") == "SAME_UPPER";
    for (size_t i = 0; i < rank; ++i) {
      const Dim& size = (*node.input(0)->shape)[i + 1];
      if (!size.IsKnown()) return false;
      const int64_t whole = (size.value() - 1) * p->strides[i] + (p->kernel[i] - 1) * p->dilations[i] + 1 + extra[i];
      const int64_t total = whole - wanted[wanted.size() - rank + i];
      if (total < 0) extra[i] -= total;
      const int64_t half = std::max<int64_t>(0, total) / 2;
      begin[i] = upper ? half : std::max<int64_t>(0, total) - half;
      end[i] = std::max<int64_t>(0, total) - begin[i];
    }
  } else if (!AnyNot(begin, 0) && !AnyNot(end, 0) &&
             !node.attributes.String("auto_pad", "NOTSET").starts_with("SAME")) {
    return false;
  }
  Attributes attributes = node.attributes;
  for (const char* name : {"pads", "auto_pad", "output_shape"}) attributes.Erase(name);
  attributes.Set("output_padding", extra);
  Expansion e(graph, node);
  std::vector<Value*> inputs = node.inputs;
  if (!AnyNot(begin, 0) && !AnyNot(end, 0)) return e.Become(kConvTranspose, inputs, attributes);
  Value* whole = e.Op(kConvTranspose, inputs, attributes);
  std::vector<int64_t> ends;
  for (int64_t pad : end) ends.push_back(pad == 0 ? INT64_MAX : -pad);
  std::vector<int64_t> axes(rank);
  std::iota(axes.begin(), axes.end(), int64_t{1});
  return e.Become(kSlice, {whole, e.Axes(begin), e.Axes(ends), e.Axes(axes)});
}

constexpr int64_t kMostWeights = int64_t{1} << 24;

// CONV_3D has no groups: the weights of others are zeros.
absl::StatusOr<bool> DenseVolumes(Graph& graph, Node& node) {
  const int64_t groups = node.attributes.Int("group", 1);
  if (groups == 1 || node.input(0)->rank() != 5 || node.constant(1) == nullptr) return false;
  const Tensor weight = node.constant(1)->Cast(DataType::kFloat32);
  const std::vector<int64_t>& shape = weight.shape();
  const int64_t outputs = shape[0], inputs = shape[1], taps = shape[2] * shape[3] * shape[4];
  if (weight.size() > kMostWeights / groups) return false;
  auto [dense, bytes] = Tensor::Allocate(DataType::kFloat32, {outputs, inputs * groups, shape[2], shape[3], shape[4]});
  const size_t row = static_cast<size_t>(inputs * taps) * sizeof(float);
  for (int64_t out = 0; out < outputs; ++out) {
    const auto at = static_cast<size_t>(out * groups + out / (outputs / groups));
    std::memcpy(bytes.data() + at * row, weight.bytes().data() + static_cast<size_t>(out) * row, row);
  }
  Expansion e(graph, node);
  Attributes attributes = node.attributes;
  attributes.Erase("group");
  std::vector<Value*> inputs_of = node.inputs;
  inputs_of[1] = e.Constant(dense);
  return e.Become(kConv, inputs_of, attributes);
}

}  // namespace

void AddTransposedRules(Rules& rules) {
  rules.push_back(MakeRule("dense-volumes", {kConv}, DenseVolumes));
  rules.push_back(MakeRule("split-groups", {kConvTranspose}, SplitGroups));
  rules.push_back(MakeRule("dilate-weights", {kConvTranspose}, DilateWeights));
  rules.push_back(MakeRule("transposed-without-pads", {kConvTranspose}, WithoutPads));
}

}  // namespace slipway::tflite
