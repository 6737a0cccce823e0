#include "convert/onnx_form/form.h"

namespace slipway::onnx_form {
namespace {

// "max" and "min" came with opset 18.
int NeedsReduction(const Node& node) {
  const std::string reduction = node.attributes.String("reduction", "none");
  return reduction == "max" || reduction == "min" ? 18 : 11;
}

constexpr OpForm kForms[] = {
    {OpKind::kGather, 1, "axis"},
    {OpKind::kGatherElements, 11, "axis"},
    {OpKind::kGatherND, 11, "batch_dims@12=0"},
    {OpKind::kScatterElements, 11, "axis reduction@16=none", NeedsReduction},
    {OpKind::kScatterND, 11, "reduction@16=none", NeedsReduction},
    {OpKind::kOneHot, 9, "axis"},
    {OpKind::kNonZero, 9},
    {OpKind::kNonMaxSuppression, 10, "center_point_box"},
};

}  // namespace

std::span<const OpForm> GatherForms() { return kForms; }

}  // namespace slipway::onnx_form
