#include "common/base/error.h"
#include "convert/targets/coreml/emit.h"

namespace slipway::coreml_writer {
namespace {

// ONNX: all begins, then all ends, of the axes named. MIL: begin and end of every axis.
std::vector<int64_t> Interleaved(const Node& node) {
  const std::vector<int64_t> pads = node.constant(1)->ToInt64s();
  const int64_t rank = node.input(0)->rank();
  std::vector<int64_t> axes;
  for (int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  if (node.constant(3) != nullptr) axes = node.constant(3)->ToInt64s();
  std::vector<int64_t> result(static_cast<size_t>(2 * rank), 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
    result[2 * axis] = pads[i];
    result[2 * axis + 1] = pads[i + axes.size()];
  }
  return result;
}

absl::Status CheckPad(const Node& node) {
  if ((node.input(2) != nullptr && node.constant(2) == nullptr) ||
      (node.input(3) != nullptr && (node.constant(3) == nullptr || node.constant(1) == nullptr))) {
    return Unsupported(node, "its value or axes are computed", "give them as constants");
  }
  if (!IsFloat(node.input(0)->type)) return Unsupported(node, "pad takes floats", "cast the input");
  const std::string mode = node.attributes.String("mode", "constant");
  if (mode == "wrap") return Unsupported(node, "mode 'wrap' cannot be said", "use constant, reflect or edge");
  if (node.constant(1) == nullptr) {
    return mode == "constant" ? absl::OkStatus()
                              : Unsupported(node, fmt::format("mode '{}' with computed pads", mode), "");
  }
  const std::vector<int64_t> pads = Interleaved(node);
  for (size_t i = 0; i < pads.size(); ++i) {
    if (pads[i] < 0) return Unsupported(node, "negative padding cuts off", "use Slice");
    if (mode != "constant" && pads[i] != 0 && i + 4 < pads.size())
      return Unsupported(node, fmt::format("mode '{}' pads the last two axes only", mode), "");
  }
  return absl::OkStatus();
}

// Pads computed at run time, of all axes.
std::string ComputedPads(const Node& node, Program& out) {
  const int64_t rank = node.input(0)->rank();
  const std::string rows = out.Helper(
      node, "reshape", {{"x", {out.Operand(node, 1)}}, {"shape", {out.Ints({2, rank})}}}, mil::INT32, {2, rank});
  const std::string pairs =
      out.Helper(node, "transpose", {{"x", {rows}}, {"perm", {out.Ints({1, 0})}}}, mil::INT32, {rank, 2});
  return out.Helper(node, "reshape", {{"x", {pairs}}, {"shape", {out.Ints({2 * rank})}}}, mil::INT32, {2 * rank});
}

void Pad(const Node& node, Program& out) {
  const std::string mode = node.attributes.String("mode", "constant");
  const float value =
      node.constant(2) == nullptr || node.constant(2)->size() == 0 ? 0 : node.constant(2)->ToFloats()[0];
  out.Emit(node, "pad",
           {{"x", {out.Operand(node, 0)}},
            {"pad", {node.constant(1) == nullptr ? ComputedPads(node, out) : out.Ints(Interleaved(node))}},
            {"mode", {out.Text(mode == "edge" ? "replicate" : mode)}},
            {"constant_val", {out.Float(value)}}});
}

constexpr OpEmitter kEmitters[] = {
    {OpKind::kPad, Pad, CheckPad},
};

}  // namespace

std::span<const OpEmitter> PadEmitters() { return kEmitters; }

}  // namespace slipway::coreml_writer
