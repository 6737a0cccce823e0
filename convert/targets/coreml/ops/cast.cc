#include "common/base/error.h"
#include "convert/targets/coreml/emit.h"

namespace slipway::coreml_writer {
namespace {

void Cast(const Node& node, Program& out) {
  const mil::DataType from = MilType(node.input(0)->type);
  const mil::DataType to = MilType(node.outputs[0]->type);
  if (from == to) {
    out.Emit(node, "identity", {{"x", {out.Operand(node, 0)}}});
    return;
  }
  const std::string_view name = to == mil::FLOAT32 ? "fp32" : to == mil::BOOL ? "bool" : "int32";
  out.Emit(node, "cast", {{"x", {out.Operand(node, 0)}}, {"dtype", {out.Text(name)}}});
}

constexpr OpEmitter kEmitters[] = {
    {OpKind::kCast, Cast},
};

}  // namespace

std::span<const OpEmitter> CastEmitters() { return kEmitters; }

}  // namespace slipway::coreml_writer
