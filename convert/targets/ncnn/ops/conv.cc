// Convolution, ConvolutionDepthWise, Deconvolution, DeconvolutionDepthWise and their 1D and 3D forms.
#include "common/base/error.h"
#include "convert/ir/spatial.h"
#include "convert/targets/ncnn/ops/ops.h"
#include "convert/targets/ncnn/ops/spatial_params.h"
#include "convert/targets/target.h"

namespace slipway::ncnn {
namespace {

// [in, out/groups, k…] → [groups × out/groups, in/groups, k…], NCNN's order for transposed convolutions.
Tensor DeconvolutionWeights(const Tensor& weights, int64_t groups) {
  std::vector<int64_t> grouped = weights.shape();
  grouped[0] /= groups;
  grouped.insert(grouped.begin(), groups);
  std::vector<int64_t> order(grouped.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  std::swap(order[1], order[2]);
  return Transpose(weights.Reshaped(grouped), order);
}

// What the output has beyond the last window: output_padding, and what an output_shape asks for on top.
std::vector<int64_t> OutputPadding(const Node& node, const SpatialParams& spatial) {
  std::vector<int64_t> padding = spatial.output_padding;
  for (size_t i = 0; i < padding.size(); ++i) {
    const Dim &in = (*node.input(0)->shape)[i + 2], &out = (*node.output()->shape)[i + 2];
    if (!in.IsKnown() || !out.IsKnown()) continue;
    const int64_t covered = (in.value() - 1) * spatial.strides[i] + spatial.dilations[i] * (spatial.kernel[i] - 1) + 1;
    padding[i] = out.value() + spatial.pads_begin[i] + spatial.pads_end[i] - covered;
  }
  return padding;
}

absl::Status Check(const Node& node) {
  if (node.constant(1) == nullptr)
    return Unsupported(node, "the weights are computed", "NCNN takes convolution weights as constants");
  if (node.input(2) != nullptr && node.constant(2) == nullptr)
    return Unsupported(node, "the bias is computed", "NCNN takes it as a constant");
  ASSIGN_OR_RETURN(const SpatialParams spatial, ReadSpatialParams(node));
  RETURN_IF_ERROR(CheckSpatial(node, spatial));
  for (const auto* pads : {&spatial.pads_begin, &spatial.pads_end}) {
    for (const int64_t pad : *pads) {
      if (pad < 0) return Unsupported(node, "negative padding", "crop the input with a Slice first");
    }
  }
  if (node.kind == OpKind::kConvTranspose) {
    for (const int64_t padding : OutputPadding(node, spatial)) {
      if (padding < 0) return Unsupported(node, "an output smaller than its windows", "crop it with a Slice");
    }
  }
  return absl::OkStatus();
}

absl::Status Emit(const Node& node, Emitter& emitter) {
  ASSIGN_OR_RETURN(const SpatialParams spatial, ReadSpatialParams(node));
  const Tensor& weights = *node.constant(1);
  const Tensor* bias = node.constant(2);
  const bool transposed = node.kind == OpKind::kConvTranspose;
  const int64_t outputs = transposed ? weights.shape()[1] * spatial.groups : weights.shape()[0];

  Params params = {{0, outputs}, {5, int64_t{bias != nullptr}}, {6, weights.size()}};
  AddAxes(params, {1, 11, 21}, spatial.kernel);
  AddAxes(params, {2, 12, 22}, spatial.dilations);
  AddAxes(params, {3, 13, 23}, spatial.strides);
  AddAxes(params, {4, 14, 24}, spatial.pads_begin);
  AddAxes(params, {15, 16, 17}, spatial.pads_end);
  if (transposed) AddAxes(params, {18, 19, 20}, OutputPadding(node, spatial));
  if (spatial.groups != 1) params.emplace_back(7, spatial.groups);
  AddActivation(params, node);
  std::vector<Weights> stored = {Tagged(transposed ? DeconvolutionWeights(weights, spatial.groups) : weights)};
  if (bias != nullptr) stored.push_back(Untagged(*bias));
  const std::string type = fmt::format("{}{}{}", transposed ? "Deconvolution" : "Convolution",
                                       spatial.groups != 1 ? "DepthWise" : "", RankSuffix(spatial.rank));
  return emitter.Layer(type, node, {node.input(0)}, {node.output()}, std::move(params), std::move(stored));
}

}  // namespace

std::span<const OpEmitter> ConvOps() {
  static constexpr OpEmitter kOps[] = {{OpKind::kConv, Check, Emit}, {OpKind::kConvTranspose, Check, Emit}};
  return kOps;
}

}  // namespace slipway::ncnn
