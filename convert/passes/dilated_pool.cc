#include "convert/passes/dilated_pool.h"

#include <algorithm>
#include <array>
#include <limits>

#include "common/base/error.h"
#include "convert/ir/spatial.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"

namespace slipway {
namespace {

class SliceDilatedPool final : public Rule {
 public:
  std::string_view name() const override { return "slice-dilated-pool"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kMaxPool};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& pool) const override {
    Value* x = pool.input(0);
    if (x->type != DataType::kFloat32 || x->rank() < 3 || ChannelAxis(pool, x->rank()) != 1 ||
        pool.output(1) != nullptr)
      return false;
    const absl::StatusOr<SpatialParams> p = ReadSpatialParams(pool);
    if (!p.ok() || std::ranges::all_of(p->dilations, [](int64_t dilation) { return dilation == 1; })) return false;
    const Shape in = *x->shape, out = *pool.output()->shape;
    for (size_t axis = 2; axis < in.size(); ++axis) {
      if (!in[axis].IsKnown() || !out[axis].IsKnown()) return false;
    }
    const std::string base = pool.output()->name;
    const auto constant = [&](Tensor tensor) { return graph.AddConstant(base + "/taps", std::move(tensor)); };
    const auto add = [&](OpKind kind, std::vector<Value*> inputs) -> absl::StatusOr<Value*> {
      ASSIGN_OR_RETURN(Node* const node, AddInferred(graph, kind, std::move(inputs), base + "/taps", {}, &pool));
      return node->output();
    };
    for (size_t i = 0; i + 2 < in.size(); ++i) {
      const size_t axis = i + 2;
      const int64_t span = (out[axis].value() - 1) * p->strides[i] + 1;  // of one tap's slice
      const int64_t needed = span + (p->kernel[i] - 1) * p->dilations[i];
      std::vector<int64_t> pads(2 * in.size(), 0);
      pads[axis] = p->pads_begin[i];
      pads[axis + in.size()] = std::max<int64_t>(0, needed - in[axis].value() - p->pads_begin[i]);
      if (pads[axis] != 0 || pads[axis + in.size()] != 0) {
        ASSIGN_OR_RETURN(x, add(OpKind::kPad, {x, constant(Tensor::Int64s(pads)),
                                               constant(Tensor::Scalar(std::numeric_limits<float>::lowest()))}));
      }
      Value* greatest = nullptr;
      for (int64_t tap = 0; tap < p->kernel[i]; ++tap) {
        const int64_t begin = tap * p->dilations[i];
        const auto number = [&](int64_t value) { return constant(Tensor::Int64s({value})); };
        ASSIGN_OR_RETURN(Value* const slice,
                         add(OpKind::kSlice, {x, number(begin), number(begin + span),
                                              number(static_cast<int64_t>(axis)), number(p->strides[i])}));
        if (greatest == nullptr) {
          greatest = slice;
        } else {
          ASSIGN_OR_RETURN(greatest, add(OpKind::kMax, {greatest, slice}));
        }
      }
      x = greatest;
    }
    RETURN_IF_ERROR(Rewrite(graph, pool, OpKind::kIdentity, {x}, {}));
    return true;
  }
};

}  // namespace

std::unique_ptr<Rule> MakeSliceDilatedPool() { return std::make_unique<SliceDilatedPool>(); }

}  // namespace slipway
