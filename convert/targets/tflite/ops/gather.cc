// GATHER, GATHER_ND.
#include "convert/targets/tflite/ops/ops.h"

namespace slipway::tflite {
namespace {

using schema::BuiltinOperator;

absl::Status CheckGather(const Node& node) {
  RETURN_IF_ERROR(CheckRank(node, node.input(0), 8));
  if (node.constant(1) != nullptr) {
    for (int64_t index : node.constant(1)->ToInt64s()) {
      if (index < 0)
        return Unsupported(node, "indices counted from the end", "rule gather-from-start renumbers constant ones");
    }
  }
  return absl::OkStatus();
}

void EmitGather(const Node& node, ModelBuilder& out) {
  const int64_t axis = AxisOf(node, node.input(0), 0);
  out.OpWith<schema::GatherOptions>(BuiltinOperator::GATHER, {out.Value(node.input(0)), out.Value(node.input(1))},
                                    {out.Value(node.output())}, 1, [=](auto& options) { options.add_axis(axis); });
}

absl::Status CheckGatherNd(const Node& node) {
  if (node.attributes.Int("batch_dims", 0) != 0) return Unsupported(node, "batch_dims", "");
  return CheckRank(node, node.input(0), 8);
}

void EmitGatherNd(const Node& node, ModelBuilder& out) {
  out.OpWith<schema::GatherNdOptions>(BuiltinOperator::GATHER_ND, {out.Value(node.input(0)), out.Value(node.input(1))},
                                      {out.Value(node.output())}, 1, [](auto&) {});
}

constexpr OpEntry kEntries[] = {{OpKind::kGather, CheckGather, EmitGather},
                                {OpKind::kGatherND, CheckGatherNd, EmitGatherNd}};

}  // namespace

std::span<const OpEntry> GatherOps() { return kEntries; }

}  // namespace slipway::tflite
