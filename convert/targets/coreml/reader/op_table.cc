#include "convert/targets/coreml/reader/op_reader.h"

namespace slipway::coreml_reader {

const OpEntry* FindOpEntry(std::string_view type) {
  static constexpr std::span<const OpEntry> (*kFamilies[])() = {
      ActivationOps, ConvOps,   ElementwiseOps, GatherOps, GemmOps,  NormalizationOps,
      PoolOps,       ReduceOps, ReshapeOps,     ResizeOps, SliceOps, SoftmaxOps,
  };
  for (const auto family : kFamilies) {
    for (const OpEntry& entry : family()) {
      if (entry.type == type) return &entry;
    }
  }
  return nullptr;
}

}  // namespace slipway::coreml_reader
