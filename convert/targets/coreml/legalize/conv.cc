#include <algorithm>

#include "convert/ir/spatial.h"
#include "convert/targets/coreml/legalize/builder.h"
#include "convert/targets/coreml/legalize/rules.h"

namespace slipway::coreml_writer {
namespace {

// Output padding beyond what the padding at the end cuts off: the result is padded with what no input reaches, the bias alone.
absl::StatusOr<bool> PadTransposedConv(Graph& graph, Node& node) {
  const auto params = ReadSpatialParams(node);
  if (!params.ok()) return false;
  std::vector<int64_t> extra(params->output_padding.size(), 0);
  bool any = false;
  for (size_t i = 0; i < extra.size(); ++i) {
    extra[i] = std::max<int64_t>(0, params->output_padding[i] - params->pads_end[i]);
    any |= extra[i] > 0;
  }
  if (!any) return false;
  Builder to(graph, node);
  Attributes attributes = node.attributes;
  for (const char* name : {"auto_pad", "output_shape"}) attributes.Erase(name);
  std::vector<int64_t> output_padding = params->output_padding, pads = params->pads_begin, grow(2, 0);
  for (size_t i = 0; i < extra.size(); ++i) output_padding[i] -= extra[i];
  pads.insert(pads.end(), params->pads_end.begin(), params->pads_end.end());
  attributes.Set("output_padding", output_padding);
  attributes.Set("pads", pads);
  grow.insert(grow.end(), extra.size() + 2, 0);
  grow.insert(grow.end(), extra.begin(), extra.end());
  Value* product = to.Op(OpKind::kConvTranspose, {node.inputs[0], node.inputs[1]}, std::move(attributes));
  Value* result = to.Op(OpKind::kPad, {product, to.Constant(Tensor::Int64s(grow))});
  if (node.input(2) != nullptr) {
    std::vector<int64_t> column(extra.size() + 1, 1);
    column[0] = -1;
    result = to.Add(result, to.Reshape(node.inputs[2], column));
  }
  return to.Replace(result);
}

}  // namespace

void AddConvRules(Rules& rules) {
  rules.push_back(
      std::make_unique<FunctionRule>("pad-transposed-conv", std::vector{OpKind::kConvTranspose}, PadTransposedConv));
}

}  // namespace slipway::coreml_writer
