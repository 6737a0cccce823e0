#include "convert/targets/ncnn/ops/spatial_params.h"

#include "common/base/error.h"
#include "convert/targets/ncnn/blob.h"
#include "convert/targets/target.h"

namespace slipway::ncnn {

void AddAxes(Params& params, std::array<int, 3> ids, const std::vector<int64_t>& values) {
  for (size_t i = 0; i < values.size(); ++i) params.emplace_back(ids[i], values[values.size() - 1 - i]);
}

void AddActivation(Params& params, const Node& node) {
  constexpr int64_t kRelu = 1, kClip = 3;
  const std::string activation = node.attributes.String("activation", "");
  if (activation.empty()) return;
  params.emplace_back(9, activation == "Relu" ? kRelu : kClip);
  if (activation == "Clip") {
    params.emplace_back(
        10, std::vector<float>{node.attributes.Float("activation_min", 0), node.attributes.Float("activation_max", 0)});
  }
}

std::string_view RankSuffix(int64_t spatial_rank) { return spatial_rank == 1 ? "1D" : spatial_rank == 3 ? "3D" : ""; }

absl::Status CheckSpatial(const Node& node, const SpatialParams& spatial) {
  if (spatial.rank < 1 || spatial.rank > 3)
    return Unsupported(node, fmt::format("{} spatial axes", spatial.rank), "NCNN has layers for one to three");
  if (spatial.channels_last) return Unsupported(node, "channels-last data", "NCNN's layers are channels-first");
  if (!DropsBatch(*node.input(0))) {
    return Unsupported(node, fmt::format("a batch of {}", node.input(0)->shape->front().ToString()),
                       "an NCNN blob holds one sample: export with batch 1");
  }
  return absl::OkStatus();
}

}  // namespace slipway::ncnn
