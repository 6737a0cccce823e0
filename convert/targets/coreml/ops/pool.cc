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

// The paddings that make floor rounding give what ceil rounding gives (the added cells are outside the data, so maxima and averages that
// exclude padding do not see them). With unknown sizes one more stride less one at the end does the same, as long as no window begins in padding.
bool ResolveCeil(const Node& node, SpatialParams& p) {
  if (!p.ceil_mode) return true;
  for (int64_t i = 0; i < p.rank; ++i) {
    const Dim& in = (*node.input(0)->shape)[i + 2];
    const Dim& out = (*node.outputs[0]->shape)[i + 2];
    const int64_t window = (p.kernel[i] - 1) * p.dilations[i] + 1;
    if (in.IsKnown() && out.IsKnown()) {
      const int64_t needed = (out.value() - 1) * p.strides[i] + window - in.value() - p.pads_begin[i];
      p.pads_end[i] = needed >= 0 && needed > p.pads_end[i] ? needed : p.pads_end[i];
    } else if (window >= p.strides[i] + p.pads_end[i]) {
      p.pads_end[i] += p.strides[i] - 1;
    } else {
      return false;
    }
  }
  return true;
}

absl::Status CheckPool(const Node& node) {
  auto params = ReadSpatialParams(node);
  if (!params.ok()) return Unsupported(node, Message(params.status()), "");
  if (node.outputs.size() > 1 && node.outputs[1] != nullptr &&
      (!node.outputs[1]->uses.empty() || node.graph->IsOutput(node.outputs[1]))) {
    return Unsupported(node, "max_pool does not give indices", "export the model without them");
  }
  for (int64_t dilation : params->dilations) {
    if (dilation != 1) return Unsupported(node, "pools have no dilations in Core ML", "use a pool without dilations");
  }
  if (!ResolveCeil(node, *params))
    return Unsupported(node, "ceil_mode with this kernel needs a known size", "give the input's size with --shape");
  return absl::OkStatus();
}

absl::Status CheckAveragePool(const Node& node) {
  RETURN_IF_ERROR(CheckPool(node));
  const SpatialParams p = *ReadSpatialParams(node);
  if (p.ceil_mode && p.count_include_pad) {
    SpatialParams resolved = p;
    ResolveCeil(node, resolved);
    if (resolved.pads_end != p.pads_end) {
      return Unsupported(node, "ceil_mode that counts its padding cannot be said",
                         "rule split-counted-padding needs zero padding that is known");
    }
  }
  return absl::OkStatus();
}

Arguments PoolArguments(const Node& node, Program& out) {
  SpatialParams p = *ReadSpatialParams(node);
  ResolveCeil(node, p);
  return {{"x", {out.Operand(node, 0)}},
          {"kernel_sizes", {out.Ints(p.kernel)}},
          {"strides", {out.Ints(p.strides)}},
          {"pad_type", {out.Text("custom")}},
          {"pad", {out.Ints(Interleaved(p.pads_begin, p.pads_end))}},
          {"ceil_mode", {out.Bool(false)}}};
}

// Of one output: nobody reads the indices.
void MaxPool(const Node& node, Program& out) {
  mil::ValueType type;
  FillType(MilType(node.outputs[0]->type), *node.outputs[0]->shape, type);
  out.Operation("max_pool", PoolArguments(node, out), {{out.Name(*node.outputs[0]), type}});
}

void AveragePool(const Node& node, Program& out) {
  Arguments arguments = PoolArguments(node, out);
  const bool exclude = node.attributes.Int("count_include_pad", 0) == 0;
  arguments.emplace_back("exclude_padding_from_average", std::vector{out.Bool(exclude)});
  out.Emit(node, "avg_pool", std::move(arguments));
}

constexpr OpEmitter kEmitters[] = {
    {OpKind::kMaxPool, MaxPool, CheckPool},
    {OpKind::kAveragePool, AveragePool, CheckAveragePool},
};

}  // namespace

std::span<const OpEmitter> PoolEmitters() { return kEmitters; }

}  // namespace slipway::coreml_writer
