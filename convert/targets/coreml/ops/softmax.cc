#include "common/base/error.h"
#include "convert/targets/coreml/emit.h"

namespace slipway::coreml_writer {
namespace {

void Softmax(const Node& node, Program& out) {
  out.Emit(node, "softmax", {{"x", {out.Operand(node, 0)}}, {"axis", {out.Int(node.attributes.Int("axis", -1))}}});
}

constexpr OpEmitter kEmitters[] = {
    {OpKind::kSoftmax, Softmax},
};

}  // namespace

std::span<const OpEmitter> SoftmaxEmitters() { return kEmitters; }

}  // namespace slipway::coreml_writer
