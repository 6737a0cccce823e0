#include "convert/targets/coreml/reader/op_reader.h"

namespace slipway::coreml_reader {
namespace {

void ReadSoftmax(OpReader& op) {
  Value* x = op.Input("x");
  const int64_t axis = op.Axis(op.Int("axis", -1), op.RankOf(x));
  op.Emit(OpKind::kSoftmax, {x}, Attrs({{"axis", axis}}));
}

constexpr OpEntry kOps[] = {
    {"softmax", ReadSoftmax},
};

}  // namespace

std::span<const OpEntry> SoftmaxOps() { return kOps; }

}  // namespace slipway::coreml_reader
