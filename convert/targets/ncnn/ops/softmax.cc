// Softmax.
#include "common/base/error.h"
#include "convert/targets/ncnn/ops/ops.h"

namespace slipway::ncnn {
namespace {

absl::Status Check(const Node&) { return absl::OkStatus(); }

absl::Status Emit(const Node& node, Emitter& emitter) {
  const Value* x = node.input(0);
  int64_t axis = node.attributes.Int("axis", -1);
  if (axis < 0) axis += x->rank();
  const bool drop = DropsBatch(*x) && axis > 0;
  return emitter.Layer("Softmax", node, {Use(x, drop)}, {Use(node.output(), drop)},
                       {{0, axis - (drop ? 1 : 0)}, {1, int64_t{1}}});
}

}  // namespace

std::span<const OpEmitter> SoftmaxOps() {
  static constexpr OpEmitter kOps[] = {{OpKind::kSoftmax, Check, Emit}};
  return kOps;
}

}  // namespace slipway::ncnn
