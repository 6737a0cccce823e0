#include "convert/targets/ncnn/ops/ops.h"

#include "absl/container/flat_hash_map.h"

namespace slipway::ncnn {

const OpEmitter* FindOpEmitter(OpKind kind) {
  static const auto* const table = [] {
    auto* made = new absl::flat_hash_map<OpKind, const OpEmitter*>();
    for (const std::span<const OpEmitter> family :
         {ConvOps(), PoolOps(), GemmOps(), NormalizationOps(), ActivationOps(), ElementwiseOps(), ReduceOps(),
          ReshapeOps(), SliceOps(), ConcatOps(), ResizeOps(), SoftmaxOps(), LogicOps(), GatherOps(), RecurrentOps()}) {
      for (const OpEmitter& op : family) made->emplace(op.kind, &op);
    }
    return made;
  }();
  const auto found = table->find(kind);
  return found == table->end() ? nullptr : found->second;
}

}  // namespace slipway::ncnn
