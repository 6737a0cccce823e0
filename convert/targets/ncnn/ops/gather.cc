// Embed: rows of a constant table by an input's whole numbers.
#include <algorithm>

#include "common/base/error.h"
#include "convert/targets/ncnn/ops/ops.h"
#include "convert/targets/target.h"

namespace slipway::ncnn {
namespace {

bool IsTable(const Node& node) {
  const Tensor* table = node.constant(0);
  return node.kind == OpKind::kGather && table != nullptr && table->type() == DataType::kFloat32 &&
         table->rank() == 2 && (node.attributes.Int("axis", 0) == 0 || node.attributes.Int("axis", 0) == -2);
}

absl::Status Check(const Node& node) {
  if (!ReadsEmbedding(node))
    return Unsupported(
        node, "computed indices into data of unknown size, or more than 4,194,304 comparisons",
        "let nothing but tables read the input, so that it becomes an Embed layer, or fix sizes with --shape");
  return absl::OkStatus();
}

absl::Status Emit(const Node& node, Emitter& emitter) {
  const Tensor& table = *node.constant(0);
  const Value* indices = node.input(1);
  Dim words = 1;
  for (const Dim& size : *indices->shape) words = words * size;
  return emitter.Layer("Embed", node, {indices}, {{node.output(), Shape{words, Dim(table.shape()[1])}}},
                       {{0, table.shape()[1]}, {1, table.shape()[0]}, {2, int64_t{0}}, {3, table.size()}},
                       {Tagged(table)});
}

}  // namespace

bool HoldsIntegers(const Value& value) {
  return value.producer == nullptr && !value.IsConstant() && IsInteger(value.type) && !value.uses.empty() &&
         std::ranges::all_of(value.uses, [](const slipway::Use& use) { return use.input == 1 && IsTable(*use.node); });
}

bool ReadsEmbedding(const Node& node) { return IsTable(node) && HoldsIntegers(*node.input(1)); }

std::span<const OpEmitter> GatherOps() {
  static constexpr OpEmitter kOps[] = {{OpKind::kGather, Check, Emit, true}};
  return kOps;
}

}  // namespace slipway::ncnn
