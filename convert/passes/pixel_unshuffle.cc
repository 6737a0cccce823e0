#include "convert/passes/pixel_unshuffle.h"

#include "common/base/error.h"
#include "convert/passes/match.h"
#include "convert/passes/shapes.h"

namespace slipway {
namespace {

constexpr int64_t kMostFilters = int64_t{1} << 16;

bool IsReshape(const Node* node) {
  return node != nullptr && (node->kind == OpKind::kReshape || node->kind == OpKind::kSqueeze ||
                             node->kind == OpKind::kUnsqueeze || node->kind == OpKind::kFlatten);
}

bool IsPart(const Dim& part, const Dim& whole, int64_t block) {
  return part * Dim(block) == whole || part == FloorDiv(whole, Dim(block));
}

class UnshuffleByConvolution final : public Rule {
 public:
  std::string_view name() const override { return "unshuffle-by-convolution"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& last) const override {
    if (!last.output()->shape || last.output()->rank() != 4) return false;
    const Value* moved = last.input(0);
    while (moved->rank() != 4 && IsReshape(moved->producer)) moved = moved->producer->input(0);
    const Node* transpose = ProducerOf(moved, OpKind::kTranspose);
    if (transpose == nullptr || PermOf(*transpose) != std::vector<int64_t>{0, 1, 3, 5, 2, 4}) return false;
    Value* x = transpose->input(0);
    while (x->rank() != 4 && IsReshape(x->producer)) x = x->producer->input(0);
    if (x->rank() != 4 || x->type != DataType::kFloat32) return false;
    const Shape &in = *x->shape, &blocks = *transpose->input(0)->shape, &out = *last.output()->shape;
    if (IsStatic(Shape(in.begin() + 1, in.end())) || !in[1].IsKnown() || !blocks[3].IsKnown() || !blocks[5].IsKnown())
      return false;
    const int64_t channels = in[1].value(), rows = blocks[3].value(), columns = blocks[5].value();
    if (!(blocks[0] == in[0]) || !(blocks[1] == in[1]) || !IsPart(blocks[2], in[2], rows) ||
        !IsPart(blocks[4], in[3], columns) || !(out[0] == in[0]) || !(out[1] == Dim(channels * rows * columns)))
      return false;
    const int64_t filters = channels * rows * columns;
    if (rows < 1 || columns < 1 || filters > kMostFilters) return false;
    std::vector<float> weights(static_cast<size_t>(filters * rows * columns), 0.0f);
    for (int64_t filter = 0; filter < filters; ++filter)
      weights[static_cast<size_t>(filter * rows * columns + filter % (rows * columns))] = 1;
    Attributes attributes;
    attributes.Set("group", channels);
    attributes.Set("strides", std::vector<int64_t>{rows, columns});
    attributes.Set("kernel_shape", std::vector<int64_t>{rows, columns});
    Value* kernel =
        graph.AddConstant(last.output()->name + "/filters", Tensor::From<float>({filters, 1, rows, columns}, weights));
    RETURN_IF_ERROR(Rewrite(graph, last, OpKind::kConv, {x, kernel}, std::move(attributes)));
    return true;
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kReshape, OpKind::kSqueeze};
};

}  // namespace

std::unique_ptr<Rule> MakeUnshuffleByConvolution() { return std::make_unique<UnshuffleByConvolution>(); }

}  // namespace slipway
