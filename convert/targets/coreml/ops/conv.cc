#include "common/base/error.h"
#include "convert/ir/spatial.h"
#include "convert/targets/coreml/emit.h"

namespace slipway::coreml_writer {
namespace {

std::vector<int64_t> Interleaved(const std::vector<int64_t>& begin, const std::vector<int64_t>& end) {
  std::vector<int64_t> pads;
  for (size_t i = 0; i < begin.size(); ++i) {
    pads.push_back(begin[i]);
    pads.push_back(end[i]);
  }
  return pads;
}

absl::Status CheckConv(const Node& node) {
  if (auto params = ReadSpatialParams(node); !params.ok()) return Unsupported(node, Message(params.status()), "");
  if (node.input(0)->rank() < 3) return Unsupported(node, "convolutions take 3 to 5 axes", "");
  if (node.input(2) != nullptr && node.constant(2) == nullptr)
    return Unsupported(node, "its bias is computed", "give the bias as a constant");
  return absl::OkStatus();
}

// conv: weight [C_out, C_in/groups, k...], pad begin and end interleaved by axis.
void Conv(const Node& node, Program& out) {
  const SpatialParams p = *ReadSpatialParams(node);
  Arguments arguments = {{"x", {out.Operand(node, 0)}},
                         {"weight", {out.Operand(node, 1)}},
                         {"strides", {out.Ints(p.strides)}},
                         {"pad_type", {out.Text("custom")}},
                         {"pad", {out.Ints(Interleaved(p.pads_begin, p.pads_end))}},
                         {"dilations", {out.Ints(p.dilations)}},
                         {"groups", {out.Int(p.groups)}}};
  if (node.input(2) != nullptr) arguments.emplace_back("bias", std::vector{out.Operand(node, 2)});
  out.Emit(node, "conv", std::move(arguments));
}

absl::Status CheckConvTranspose(const Node& node) {
  RETURN_IF_ERROR(CheckConv(node));
  if (node.constant(1) == nullptr)
    return Unsupported(node, "its weights are computed", "give the weights as a constant");
  const SpatialParams p = *ReadSpatialParams(node);
  for (size_t i = 0; i < p.output_padding.size(); ++i) {
    if (p.output_padding[i] > p.pads_end[i]) {
      return Unsupported(
          node, fmt::format("output_padding {} is larger than the padding {}", p.output_padding[i], p.pads_end[i]),
          "pad the result with an explicit Pad");
    }
  }
  return absl::OkStatus();
}

// Output padding is what the padding at the end cuts off less.
void ConvTranspose(const Node& node, Program& out) {
  SpatialParams p = *ReadSpatialParams(node);
  for (size_t i = 0; i < p.output_padding.size(); ++i) p.pads_end[i] -= p.output_padding[i];
  Arguments arguments = {{"x", {out.Operand(node, 0)}},
                         {"weight", {out.Operand(node, 1)}},
                         {"pad", {out.Ints(Interleaved(p.pads_begin, p.pads_end))}},
                         {"pad_type", {out.Text("custom")}},
                         {"strides", {out.Ints(p.strides)}},
                         {"dilations", {out.Ints(p.dilations)}},
                         {"groups", {out.Int(p.groups)}}};
  if (node.input(2) != nullptr) arguments.emplace_back("bias", std::vector{out.Operand(node, 2)});
  out.Emit(node, "conv_transpose", std::move(arguments));
}

constexpr OpEmitter kEmitters[] = {
    {OpKind::kConv, Conv, CheckConv},
    {OpKind::kConvTranspose, ConvTranspose, CheckConvTranspose},
};

}  // namespace

std::span<const OpEmitter> ConvEmitters() { return kEmitters; }

}  // namespace slipway::coreml_writer
