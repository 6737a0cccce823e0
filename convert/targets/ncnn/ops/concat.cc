// Concat.
#include "common/base/error.h"
#include "convert/targets/ncnn/ops/ops.h"
#include "convert/targets/target.h"

namespace slipway::ncnn {
namespace {

bool Drops(const Node& node) { return AllDropBatch(node.inputs) && DropsBatch(*node.output()); }

absl::Status Check(const Node& node) {
  if (!Drops(node) && node.output()->rank() > kMaxBlobRank)
    return Unsupported(node, "a concatenation along the batch", "an NCNN blob holds one sample");
  return absl::OkStatus();
}

absl::Status Emit(const Node& node, Emitter& emitter) {
  const bool drop = Drops(node);
  int64_t axis = node.attributes.Int("axis", 0);
  if (axis < 0) axis += node.output()->rank();
  std::vector<BlobUse> inputs;
  for (const Value* input : node.inputs) inputs.push_back(Use(input, drop));
  return emitter.Layer("Concat", node, inputs, {Use(node.output(), drop)}, {{0, axis - (drop ? 1 : 0)}});
}

}  // namespace

std::span<const OpEmitter> ConcatOps() {
  static constexpr OpEmitter kOps[] = {{OpKind::kConcat, Check, Emit}};
  return kOps;
}

}  // namespace slipway::ncnn
