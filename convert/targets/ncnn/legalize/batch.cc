#include <algorithm>
#include <array>
#include <numeric>

#include "common/base/error.h"
#include "convert/ir/spatial.h"
#include "convert/targets/ncnn/legalize/compose.h"
#include "convert/targets/ncnn/legalize/legalize.h"

namespace slipway::ncnn {
namespace {

using Sizes = std::vector<int64_t>;

// A blob holds one sample. Where samples do not mix they become channels (pools, instance norms, pixel shuffles) or one more spatial axis with a window of 1
// (convolutions, local response): [N, C, …] is read as [1, N·C, …] or [1, C, N, …].
class FoldBatch final : public Rule {
 public:
  std::string_view name() const override { return "fold-batch"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kConv,         OpKind::kConvTranspose, OpKind::kMaxPool,
                                          OpKind::kAveragePool,  OpKind::kLRN,           OpKind::kInstanceNormalization,
                                          OpKind::kDepthToSpace, OpKind::kSpaceToDepth};
    return kKinds;
  }

  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    const Value *x = node.input(0), *y = node.output();
    if (x->rank() < 3 || !y->shape || node.output(1) != nullptr) return false;
    const auto in = StaticShape(*x->shape), out = StaticShape(*y->shape);
    if (!in || !out || (*in)[0] <= 1) return false;
    switch (node.kind) {
      case OpKind::kConv:
      case OpKind::kConvTranspose:
        return BatchAsAxis(graph, node, *in, *out);
      case OpKind::kLRN:
        return BatchAsHeight(graph, node, *in);
      case OpKind::kDepthToSpace:
        return ShuffleOut(graph, node, *in, *out);
      case OpKind::kSpaceToDepth:
        return ShuffleIn(graph, node, *in, *out);
      default:
        return BatchAsChannels(graph, node, *in, *out);
    }
  }

 private:
  static Attributes With(std::string_view name, Sizes sizes) {
    Attributes attributes;
    attributes.Set(name, std::move(sizes));
    return attributes;
  }
  static Value* Shaped(Composer& c, Value* value, const Sizes& sizes) {
    return c.Add(OpKind::kReshape, {value, c.Constant(Tensor::Int64s(sizes))});
  }
  static Sizes Joined(Sizes front, const Sizes& sizes, size_t from) {
    front.insert(front.end(), sizes.begin() + static_cast<int64_t>(from), sizes.end());
    return front;
  }
  // Batch and channels exchanged.
  static Attributes Swapped(size_t rank) {
    Sizes perm(rank);
    std::iota(perm.begin(), perm.end(), int64_t{0});
    std::swap(perm[0], perm[1]);
    return With("perm", std::move(perm));
  }

  static absl::StatusOr<bool> BatchAsChannels(Graph& graph, Node& node, const Sizes& in, const Sizes& out) {
    const int64_t samples = in[0];
    Composer c(graph, node);
    std::vector<Value*> inputs = {Shaped(c, node.input(0), Joined({1, samples * in[1]}, in, 2))};
    for (size_t i = 1; i < node.inputs.size(); ++i) {  // a norm's scale and bias, once a sample
      const Tensor* parameter = node.constant(i);
      if (parameter == nullptr) return false;
      std::vector<float> repeated;
      for (int64_t n = 0; n < samples; ++n) {
        const std::vector<float> values = parameter->ToFloats();
        repeated.insert(repeated.end(), values.begin(), values.end());
      }
      inputs.push_back(c.Constant(Tensor::Float32s(repeated)));
    }
    Value* pooled = c.Add(node.kind, std::move(inputs), node.attributes);
    return c.Finish(OpKind::kReshape, {pooled, c.Constant(Tensor::Int64s(out))});
  }

  static absl::StatusOr<bool> BatchAsAxis(Graph& graph, Node& node, const Sizes& in, const Sizes& out) {
    const Tensor* weights = node.constant(1);
    if (in.size() > 4 || weights == nullptr) return false;
    ASSIGN_OR_RETURN(const SpatialParams p, ReadSpatialParams(node));
    const auto lifted = [](int64_t first, Sizes sizes) {
      sizes.insert(sizes.begin(), first);
      return sizes;
    };
    Attributes attributes = node.attributes;
    attributes.Erase("auto_pad");
    attributes.Set("kernel_shape", lifted(1, p.kernel));
    attributes.Set("strides", lifted(1, p.strides));
    attributes.Set("dilations", lifted(1, p.dilations));
    attributes.Set("pads", Joined(lifted(0, p.pads_begin), lifted(0, p.pads_end), 0));
    if (node.kind == OpKind::kConvTranspose) {
      attributes.Set("output_padding", lifted(0, p.output_padding));
      attributes.Erase("output_shape");
    }
    Composer c(graph, node);
    Sizes kernel = weights->shape();
    kernel.insert(kernel.begin() + 2, 1);
    Value* exchanged = c.Add(OpKind::kTranspose, {node.input(0)}, Swapped(in.size()));
    std::vector<Value*> inputs = {Shaped(c, exchanged, Joined({1, in[1], in[0]}, in, 2)),
                                  c.Constant(weights->Reshaped(kernel))};
    if (node.input(2) != nullptr) inputs.push_back(node.input(2));
    Value* y = Shaped(c, c.Add(node.kind, inputs, std::move(attributes)), Joined({out[1], out[0]}, out, 2));
    return c.Finish(OpKind::kTranspose, {y}, Swapped(out.size()));
  }

  static absl::StatusOr<bool> BatchAsHeight(Graph& graph, Node& node, const Sizes& in) {
    if (in.size() != 4) return false;
    Composer c(graph, node);
    Value* exchanged = c.Add(OpKind::kTranspose, {node.input(0)}, Swapped(4));
    Value* y = c.Add(node.kind, {Shaped(c, exchanged, {1, in[1], in[0] * in[2], in[3]})}, node.attributes);
    return c.Finish(OpKind::kTranspose, {Shaped(c, y, {in[1], in[0], in[2], in[3]})}, Swapped(4));
  }

  // Depth before block positions (CRD), samples stand in front of the depth like more of it.
  static absl::StatusOr<bool> ShuffleOut(Graph& graph, Node& node, const Sizes& in, const Sizes& out) {
    const int64_t block = node.attributes.Int("blocksize", 1), area = block * block;
    Composer c(graph, node);
    Value* x = node.input(0);
    if (node.attributes.String("mode", "DCR") == "DCR") {
      x = Shaped(c, x, {in[0], area, in[1] / area, in[2] * in[3]});
      x = c.Add(OpKind::kTranspose, {x}, With("perm", {0, 2, 1, 3}));
    }
    Attributes attributes = node.attributes;
    attributes.Set("mode", std::string("CRD"));
    x = c.Add(node.kind, {Shaped(c, x, {1, in[0] * in[1], in[2], in[3]})}, std::move(attributes));
    return c.Finish(OpKind::kReshape, {x, c.Constant(Tensor::Int64s(out))});
  }

  static absl::StatusOr<bool> ShuffleIn(Graph& graph, Node& node, const Sizes& in, const Sizes& out) {
    const int64_t block = node.attributes.Int("blocksize", 1);
    Composer c(graph, node);
    Value* y = c.Add(node.kind, {Shaped(c, node.input(0), {1, in[0] * in[1], in[2], in[3]})}, node.attributes);
    y = Shaped(c, y, {block * block, in[0], in[1], out[2] * out[3]});
    y = c.Add(OpKind::kTranspose, {y}, With("perm", {1, 0, 2, 3}));
    return c.Finish(OpKind::kReshape, {y, c.Constant(Tensor::Int64s(out))});
  }
};

}  // namespace

std::unique_ptr<Rule> MakeFoldBatch() { return std::make_unique<FoldBatch>(); }

}  // namespace slipway::ncnn
