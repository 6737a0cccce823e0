// What the convolution and pooling layers have in common: parameters by spatial axis, names by rank.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "convert/ir/spatial.h"
#include "convert/targets/ncnn/layers.h"

namespace slipway::ncnn {

// `values` run [d,] [h,] w; `ids` are the parameters of w, h, d.
void AddAxes(Params& params, std::array<int, 3> ids, const std::vector<int64_t>& values);
// The node's fused activation, if it has one: parameters 9 and 10 of convolutions and InnerProduct.
void AddActivation(Params& params, const Node& node);
// "1D", "" or "3D".
std::string_view RankSuffix(int64_t spatial_rank);
// NCNN's spatial layers take one image: rank 1 to 3, batch 1, channels first.
absl::Status CheckSpatial(const Node& node, const SpatialParams& spatial);

}  // namespace slipway::ncnn
