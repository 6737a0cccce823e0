#include <algorithm>
#include <array>

#include "common/base/error.h"
#include "convert/ir/resample.h"
#include "convert/passes/upsample.h"
#include "convert/targets/ncnn/legalize/compose.h"
#include "convert/targets/ncnn/legalize/legalize.h"
#include "convert/targets/ncnn/ops/ops.h"

namespace slipway::ncnn {
namespace {

// What Interp does not have: an axis at a time, each row of the data times a constant matrix.
class ResizeByMatrices final : public Rule {
 public:
  std::string_view name() const override { return "resize-by-matrices"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kResize};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    if (node.input(0)->rank() < 1 || FindOpEmitter(node.kind)->check(node).ok()) return false;
    const absl::StatusOr<std::vector<ResampledAxis>> axes = ReadResampling(node);
    if (!axes.ok() || node.input(0)->type != DataType::kFloat32 || !IsStatic(*node.input(0)->shape))
      return false;  // its check tells why
    Composer c(graph, node);
    Value* x = node.input(0);
    std::vector<int64_t> shape = *StaticShape(*x->shape);
    bool crops = false;
    for (size_t i = 0; i < axes->size(); ++i) {
      if ((*axes)[i].identity) continue;
      crops = crops || std::ranges::count((*axes)[i].outside, true) > 0;
      x = TimesMatrix(c, x, shape, i, Tensor::From({(*axes)[i].to, (*axes)[i].from}, (*axes)[i].weights));
    }
    if (!crops) return c.Finish(OpKind::kIdentity, {x});
    const float extrapolation = node.attributes.Float("extrapolation_value", 0);
    return c.Finish(OpKind::kAdd, {x, c.Constant(ResizeBorder(*axes, extrapolation))});
  }
};

// Whole factors of an unknown size in forms that Interp does not have: a convolution and a pixel shuffle.
class ResizeByFilters final : public Rule {
 public:
  std::string_view name() const override { return "resize-by-filters"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kResize};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    if (node.input(0)->rank() != 4 || !node.output()->shape || IsStatic(*node.output()->shape) ||
        !DropsBatch(*node.input(0)) || FindOpEmitter(node.kind)->check(node).ok())
      return false;
    return ResizeByConvolution(graph, node);
  }
};

// Sizes known only at run time, which another image of the graph has: Interp takes them from its blob.
class ResizeLikeAnother final : public Rule {
 public:
  std::string_view name() const override { return "resize-like-another"; }
  std::span<const OpKind> kinds() const override {
    static constexpr std::array kKinds = {OpKind::kResize};
    return kKinds;
  }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    if (node.input(0)->rank() != 4 || !node.output()->shape || IsStatic(*node.output()->shape) ||
        node.input(3) == nullptr || node.constant(3) != nullptr || node.attributes.Has("axes"))
      return false;
    Value* like = ImageOf(graph, node, (*node.output()->shape)[2], (*node.output()->shape)[3]);
    if (like == nullptr) return false;
    Composer c(graph, node);
    Attributes last_two = node.attributes, part;
    last_two.Set("axes", std::vector<int64_t>{2, 3});
    part.Set("start", int64_t{2});
    Value* sizes = c.Add(OpKind::kShape, {like}, std::move(part));
    return c.Finish(OpKind::kResize, {node.input(0), nullptr, nullptr, sizes}, std::move(last_two));
  }

 private:
  // The first value before `node` that is an image of this height and width.
  static Value* ImageOf(const Graph& graph, const Node& node, const Dim& height, const Dim& width) {
    const auto fits = [&](const Value* value) {
      return value != nullptr && value->rank() == 4 && DropsBatch(*value) && value->type == DataType::kFloat32 &&
             (*value->shape)[2] == height && (*value->shape)[3] == width;
    };
    for (Value* input : graph.inputs()) {
      if (fits(input)) return input;
    }
    for (const auto& other : graph.nodes()) {
      if (other.get() == &node) return nullptr;
      for (Value* output : other->outputs) {
        if (fits(output)) return output;
      }
    }
    return nullptr;
  }
};

}  // namespace

std::unique_ptr<Rule> MakeResizeByFilters() { return std::make_unique<ResizeByFilters>(); }
std::unique_ptr<Rule> MakeResizeLikeAnother() { return std::make_unique<ResizeLikeAnother>(); }
std::unique_ptr<Rule> MakeResizeByMatrices() { return std::make_unique<ResizeByMatrices>(); }

}  // namespace slipway::ncnn
