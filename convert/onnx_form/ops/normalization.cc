#include "convert/onnx_form/form.h"

namespace slipway::onnx_form {
namespace {

constexpr OpForm kForms[] = {
    {OpKind::kBatchNormalization, 9, "epsilon"},
    {OpKind::kInstanceNormalization, 6, "epsilon"},
    {OpKind::kLayerNormalization, 17, "axis epsilon stash_type"},
    {OpKind::kGroupNormalization, 21, "epsilon num_groups stash_type"},
    {OpKind::kLpNormalization, 1, "axis p"},
    {OpKind::kMeanVarianceNormalization, 9, "axes"},
    {OpKind::kLRN, 1, "alpha beta bias size"},
    {OpKind::kRMSNormalization, 23, "axis epsilon stash_type"},
};

}  // namespace

std::span<const OpForm> NormalizationForms() { return kForms; }

}  // namespace slipway::onnx_form
