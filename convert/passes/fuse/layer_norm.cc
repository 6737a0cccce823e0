#include "common/base/error.h"
#include "convert/passes/fuse/rules.h"
#include "convert/passes/match.h"

namespace slipway::fuse {
namespace {

// The reduced tensor of a ReduceMean over the last axis alone, axes kept.
Value* MeanOverLast(const Value* value) {
  const Node* mean = ProducerOf(value, OpKind::kReduceMean);
  if (mean == nullptr || mean->attributes.Int("keepdims", 1) == 0 || mean->constant(1) == nullptr) return nullptr;
  const std::vector<int64_t> axes = mean->constant(1)->ToInt64s();
  const int64_t rank = mean->input(0)->rank();
  return rank > 0 && axes.size() == 1 && (axes[0] == -1 || axes[0] == rank - 1) ? mean->input(0) : nullptr;
}

// The centred data d = x - mean(x): the x.
Value* CentredOf(const Value* value) {
  const Node* centred = ProducerOf(value, OpKind::kSub);
  return centred != nullptr && MeanOverLast(centred->input(1)) == centred->input(0) ? centred->input(0) : nullptr;
}

bool IsLastAxisParameter(const Value* value, const Value* data) {
  if (value == nullptr || !value->constant || value->rank() != 1 || data->rank() < 1) return false;
  return (*value->shape)[0] == data->shape->back();
}

// d / √(mean(d²) + ε) · scale + bias.
class LayerNormRule final : public Rule {
 public:
  std::string_view name() const override { return "recognise-layer-norm"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    const int bias = ConstantInput(node);
    if (bias < 0) return false;
    const Node* scaled = ProducerOf(node.input(1 - bias), OpKind::kMul);
    if (scaled == nullptr || ConstantInput(*scaled) < 0) return false;
    const int scale = ConstantInput(*scaled);
    const Node* normal = ProducerOf(scaled->input(1 - scale), OpKind::kDiv);
    if (normal == nullptr) return false;
    Value* data = CentredOf(normal->input(0));
    const Node* root = ProducerOf(normal->input(1), OpKind::kSqrt);
    if (data == nullptr || root == nullptr) return false;
    const Node* sum = ProducerOf(root->input(0), OpKind::kAdd);
    if (sum == nullptr || ConstantInput(*sum) < 0) return false;
    const int epsilon_input = ConstantInput(*sum);
    const std::optional<double> epsilon = ScalarOf(sum->input(epsilon_input));
    const Value* squares = MeanOverLast(sum->input(1 - epsilon_input));
    if (!epsilon || squares == nullptr || squares->producer == nullptr) return false;
    const Node& square = *squares->producer;
    const bool squared = square.kind == OpKind::kPow
                             ? IsScalar(square.input(1), 2)
                             : square.kind == OpKind::kMul && square.input(0) == square.input(1);
    // Exporters may write the centred data twice.
    if (!squared || CentredOf(square.input(0)) != data) return false;
    Value *scale_value = scaled->input(scale), *bias_value = node.input(bias);
    if (!IsLastAxisParameter(scale_value, data) || !IsLastAxisParameter(bias_value, data)) return false;
    Attributes attributes;
    attributes.Set("axis", int64_t{-1});
    attributes.Set("epsilon", static_cast<float>(*epsilon));
    RETURN_IF_ERROR(
        Rewrite(graph, node, OpKind::kLayerNormalization, {data, scale_value, bias_value}, std::move(attributes)));
    return true;
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kAdd};
};

}  // namespace

std::unique_ptr<Rule> RecogniseLayerNorm() { return std::make_unique<LayerNormRule>(); }

}  // namespace slipway::fuse
