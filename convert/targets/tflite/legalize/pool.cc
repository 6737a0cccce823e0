#include <algorithm>

#include "common/base/error.h"
#include "convert/ir/spatial.h"
#include "convert/passes/dilated_pool.h"
#include "convert/targets/tflite/legalize/legalize.h"

namespace slipway::tflite {
namespace {

using enum OpKind;

// A pool over axes [first, first + count) of the window; explicit pads.
Attributes Window(const Node& node, const SpatialParams& p, std::vector<size_t> axes) {
  Attributes attributes = node.attributes;
  attributes.Erase("auto_pad");
  std::vector<int64_t> kernel, strides, dilations, begin, end;
  for (const size_t axis : axes) {
    kernel.push_back(p.kernel[axis]);
    strides.push_back(p.strides[axis]);
    dilations.push_back(p.dilations[axis]);
    begin.push_back(p.pads_begin[axis]);
    end.push_back(p.pads_end[axis]);
  }
  if (axes.size() == 1) {  // the second axis stands for the others, folded into it
    for (std::vector<int64_t>* sizes : {&kernel, &strides, &dilations}) sizes->push_back(1);
    for (std::vector<int64_t>* pads : {&begin, &end}) pads->push_back(0);
  }
  begin.insert(begin.end(), end.begin(), end.end());
  attributes.Set("kernel_shape", kernel);
  attributes.Set("strides", strides);
  attributes.Set("dilations", dilations);
  attributes.Set("pads", begin);
  return attributes;
}

// Maxima and averages over a box go an axis at a time: [N, C, D, H, W] is pooled over H and W as [N, C·D, H, W], then over D as [N, C, D, H·W].
absl::StatusOr<bool> Pool3d(Graph& graph, Node& node) {
  Value* x = node.input(0);
  if (x->rank() != 5 || node.output(1) != nullptr || ChannelAxis(node, 5) != 1) return false;
  const absl::StatusOr<SpatialParams> p = ReadSpatialParams(node);
  if (!p.ok() || !node.output()->shape) return false;
  const Shape in = *x->shape, out = *node.output()->shape;
  const auto known = [](const Dim& size) { return size.IsKnown(); };
  if (!std::all_of(in.begin() + 1, in.end(), known) || !std::all_of(out.begin() + 1, out.end(), known)) return false;
  Expansion e(graph, node);
  const auto reshape = [&](Value* value, std::vector<int64_t> sizes) {
    sizes.insert(sizes.begin(), in[0].IsKnown() ? in[0].value() : -1);
    return e.Op(kReshape, {value, e.Axes(sizes)});
  };
  const int64_t channels = in[1].value(), depth = in[2].value(), height = out[3].value(), width = out[4].value();
  x = e.Op(node.kind, {reshape(x, {channels * depth, in[3].value(), in[4].value()})}, Window(node, *p, {1, 2}));
  x = e.Op(node.kind, {reshape(x, {channels, depth, height * width})}, Window(node, *p, {0}));
  return e.Become(kIdentity, {reshape(x, {channels, out[2].value(), height, width})});
}

}  // namespace

void AddPoolRules(Rules& rules) {
  rules.push_back(MakeRule("pool3d-by-axes", {kMaxPool, kAveragePool}, Pool3d));
  rules.push_back(MakeSliceDilatedPool());
}

}  // namespace slipway::tflite
