#include "common/base/error.h"
#include "convert/targets/coreml/emit.h"

namespace slipway::coreml_writer {
namespace {

absl::Status CheckGather(const Node& node) {
  if (node.input(0)->type == DataType::kBool)
    return Unsupported(node, "gather takes numbers", "cast the booleans to int32");
  if (node.input(0)->rank() + node.input(1)->rank() - 1 > 5 && node.kind == OpKind::kGather)
    return Unsupported(node, "its result has more than 5 axes", "");
  return absl::OkStatus();
}

template <OpKind kind>
void Gather(const Node& node, Program& out) {
  const int64_t axis = node.attributes.Int("axis", 0);
  out.Emit(node, kind == OpKind::kGather ? "gather" : "gather_along_axis",
           {{"x", {out.Operand(node, 0)}},
            {"indices", {out.Operand(node, 1)}},
            {"axis", {out.Int(axis < 0 ? axis + node.input(0)->rank() : axis)}}});
}

absl::Status CheckGatherNd(const Node& node) {
  if (node.attributes.Int("batch_dims", 0) != 0)
    return Unsupported(node, "gather_nd has no batch axes before iOS 16", "");
  return CheckGather(node);
}

void GatherNd(const Node& node, Program& out) {
  out.Emit(node, "gather_nd", {{"x", {out.Operand(node, 0)}}, {"indices", {out.Operand(node, 1)}}});
}

absl::Status CheckScatter(const Node& node) {
  if (node.input(0)->type == DataType::kBool)
    return Unsupported(node, "scatter takes numbers", "cast the booleans to int32");
  return absl::OkStatus();
}

// ONNX's reductions by MIL's names.
std::string_view Mode(const Node& node) {
  const std::string reduction = node.attributes.String("reduction", "none");
  return reduction == "none"  ? "update"
         : reduction == "add" ? "add"
         : reduction == "mul" ? "mul"
         : reduction == "max" ? "max"
                              : "min";
}

void ScatterNd(const Node& node, Program& out) {
  out.Emit(node, "scatter_nd",
           {{"data", {out.Operand(node, 0)}},
            {"indices", {out.Operand(node, 1)}},
            {"updates", {out.Operand(node, 2)}},
            {"mode", {out.Text(Mode(node))}}});
}

void ScatterElements(const Node& node, Program& out) {
  const int64_t axis = node.attributes.Int("axis", 0);
  out.Emit(node, "scatter_along_axis",
           {{"data", {out.Operand(node, 0)}},
            {"indices", {out.Operand(node, 1)}},
            {"updates", {out.Operand(node, 2)}},
            {"axis", {out.Int(axis < 0 ? axis + node.input(0)->rank() : axis)}},
            {"mode", {out.Text(Mode(node))}}});
}

constexpr OpEmitter kEmitters[] = {
    {OpKind::kScatterND, ScatterNd, CheckScatter},
    {OpKind::kScatterElements, ScatterElements, CheckScatter},
    {OpKind::kGather, Gather<OpKind::kGather>, CheckGather},
    {OpKind::kGatherElements, Gather<OpKind::kGatherElements>, CheckGather},
    {OpKind::kGatherND, GatherNd, CheckGatherNd},
};

}  // namespace

std::span<const OpEmitter> GatherEmitters() { return kEmitters; }

}  // namespace slipway::coreml_writer
