// Normalisations and other ops whose result is like their data.
#include "convert/passes/shapes/infer.h"

namespace slipway::shapes {
namespace {

absl::Status LikeData(Inference& in) {
  if (!in.HasShape(0)) return in.Unranked();
  return in.Set(0, in.type(0), in.shape(0));
}

// Per-channel parameters (inputs 1…) must be as long as the data's channel axis.
absl::Status InferPerChannel(Inference& in) {
  if (in.HasShape(0) && in.rank(0) >= 2) {
    const Dim& channels = in.shape(0)[in.node.attributes.String("data_layout", "NCHW") == "NHWC" ? in.rank(0) - 1 : 1];
    for (size_t i = 1; i < in.node.inputs.size(); ++i) {
      if (!in.HasShape(i)) continue;
      if (in.rank(i) != 1) return in.Error("parameter {} of rank {}; it is a number a channel", i, in.rank(i));
      if (Contradict(in.shape(i)[0], channels)) {
        return in.Error("parameter {} has {} numbers for {} channels", i, in.shape(i)[0].ToString(),
                        channels.ToString());
      }
    }
  }
  return LikeData(in);
}

constexpr Entry kEntries[] = {
    {OpKind::kBatchNormalization, InferPerChannel},
    {OpKind::kInstanceNormalization, InferPerChannel},
    {OpKind::kLayerNormalization, LikeData},
    {OpKind::kGroupNormalization, LikeData},
    {OpKind::kLpNormalization, LikeData},
    {OpKind::kMeanVarianceNormalization, LikeData},
    {OpKind::kLRN, LikeData},
    {OpKind::kRMSNormalization, LikeData},
};

}  // namespace

std::span<const Entry> NormalizationFunctions() { return kEntries; }

}  // namespace slipway::shapes
