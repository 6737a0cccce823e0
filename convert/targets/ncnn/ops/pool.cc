// Pooling, Pooling1D, Pooling3D.
#include "common/base/error.h"
#include "convert/targets/ncnn/ops/ops.h"
#include "convert/targets/ncnn/ops/spatial_params.h"
#include "convert/targets/target.h"

namespace slipway::ncnn {
namespace {

constexpr int64_t kMax = 0, kAverage = 1;
constexpr int64_t kFull = 0, kValid = 1;  // pad modes: the tail is padded to a whole window, or left out

// Paddings and mode that give the node's output sizes.
struct Padding {
  int64_t mode = kValid;
  std::vector<int64_t> end;
};

absl::StatusOr<Padding> PaddingOf(const Node& node, const SpatialParams& spatial) {
  Padding padding{kValid, spatial.pads_end};
  if (!spatial.ceil_mode) return padding;
  const Shape& in = *node.input(0)->shape;
  const Shape& out = *node.output()->shape;
  bool full =
      true;  // whether NCNN's own rounding up, which keeps a last window that begins in the padding, gives these sizes
  bool known = true;
  for (int64_t i = 0; i < spatial.rank; ++i) {
    const auto axis = static_cast<size_t>(i);
    const Dim &from = in[axis + 2], &to = out[axis + 2];
    if (from.IsKnown() && to.IsKnown()) {
      const Dim padded = from + spatial.pads_begin[axis] + spatial.pads_end[axis];
      full = full && CeilDiv(padded - spatial.kernel[axis], spatial.strides[axis]) + 1 == to;
      padding.end[axis] = std::max(padding.end[axis], (to.value() - 1) * spatial.strides[axis] + spatial.kernel[axis] -
                                                          from.value() - spatial.pads_begin[axis]);
    } else {
      known = false;
      full = full && spatial.pads_begin[axis] == 0 && spatial.pads_end[axis] == 0 &&
             spatial.strides[axis] <= spatial.kernel[axis];
    }
  }
  if (full) return Padding{kFull, spatial.pads_end};
  if (known) return padding;
  return Unsupported(node, "ceil_mode with padding, or with strides over the kernel, on sizes that are not known",
                     "fix the sizes with --shape");
}

absl::Status CheckPool(const Node& node) {
  if (node.output(1) != nullptr)
    return Unsupported(node, "the indices of the maxima are read", "NCNN's Pooling gives the maxima alone");
  ASSIGN_OR_RETURN(const SpatialParams spatial, ReadSpatialParams(node));
  RETURN_IF_ERROR(CheckSpatial(node, spatial));
  for (const int64_t dilation : spatial.dilations) {
    if (dilation != 1) return Unsupported(node, "a dilated window", "NCNN's Pooling has none");
  }
  return PaddingOf(node, spatial).status();
}

absl::Status EmitPool(const Node& node, Emitter& emitter) {
  ASSIGN_OR_RETURN(const SpatialParams spatial, ReadSpatialParams(node));
  ASSIGN_OR_RETURN(const Padding padding, PaddingOf(node, spatial));
  const bool average = node.kind == OpKind::kAveragePool;
  Params params = {{0, average ? kAverage : kMax}, {5, padding.mode}};
  AddAxes(params, {1, 11, 21}, spatial.kernel);
  AddAxes(params, {2, 12, 22}, spatial.strides);
  AddAxes(params, {3, 13, 23}, spatial.pads_begin);
  AddAxes(params, {14, 15, 16}, padding.end);
  if (average) params.emplace_back(6, int64_t{spatial.count_include_pad});
  return emitter.Layer(fmt::format("Pooling{}", RankSuffix(spatial.rank)), node, {node.input(0)}, {node.output()},
                       std::move(params));
}

absl::Status CheckGlobal(const Node& node) {
  return CheckSpatial(node, SpatialParams{.rank = node.input(0)->rank() - 2});
}

// Adaptive pooling to size 1 keeps the spatial axes, which global pooling drops.
absl::Status EmitGlobal(const Node& node, Emitter& emitter) {
  const int64_t rank = node.input(0)->rank() - 2;
  Params params = {{0, node.kind == OpKind::kGlobalAveragePool ? kAverage : kMax}, {7, int64_t{1}}};
  AddAxes(params, {8, 18, 28}, std::vector<int64_t>(static_cast<size_t>(rank), 1));
  return emitter.Layer(fmt::format("Pooling{}", RankSuffix(rank)), node, {node.input(0)}, {node.output()},
                       std::move(params));
}

}  // namespace

std::span<const OpEmitter> PoolOps() {
  static constexpr OpEmitter kOps[] = {
      {OpKind::kMaxPool, CheckPool, EmitPool},
      {OpKind::kAveragePool, CheckPool, EmitPool},
      {OpKind::kGlobalAveragePool, CheckGlobal, EmitGlobal},
      {OpKind::kGlobalMaxPool, CheckGlobal, EmitGlobal},
  };
  return kOps;
}

}  // namespace slipway::ncnn
