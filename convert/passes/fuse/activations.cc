// Activations that exporters write as several nodes.
#include <cmath>
#include <numbers>

#include "common/base/error.h"
#include "convert/passes/fuse/rules.h"
#include "convert/passes/match.h"

namespace slipway::fuse {
namespace {

// The input that is no constant when the other is a scalar equal to `number`.
Value* OperandOf(const Node* node, OpKind kind, double number) {
  if (node == nullptr || node->kind != kind) return nullptr;
  if (IsScalar(node->input(1), number)) return node->input(0);
  if (kind != OpKind::kDiv && kind != OpKind::kSub && kind != OpKind::kPow && IsScalar(node->input(0), number))
    return node->input(1);
  return nullptr;
}

// Clip(x + 3, 0, 6): the x.
Value* ReluSixOfPlusThree(const Value* value) {
  const Node* clip = ProducerOf(value, OpKind::kClip);
  if (clip == nullptr || ScalarOf(clip->input(1)) != 0.0 || !IsScalar(clip->input(2), 6)) return nullptr;
  return OperandOf(clip->input(0)->producer, OpKind::kAdd, 3);
}

bool SameShape(const Value* a, const Value* b) { return a->shape && b->shape && *a->shape == *b->shape; }

class HardSigmoidRule final : public Rule {
 public:
  std::string_view name() const override { return "recognise-hard-sigmoid"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    const Value* clipped =
        node.kind == OpKind::kDiv ? OperandOf(&node, OpKind::kDiv, 6) : OperandOf(&node, OpKind::kMul, 1.0 / 6);
    Value* data = clipped != nullptr ? ReluSixOfPlusThree(clipped) : nullptr;
    if (data == nullptr || !SameShape(data, node.output())) return false;
    Attributes attributes;
    attributes.Set("alpha", 1.0f / 6);
    attributes.Set("beta", 0.5f);
    RETURN_IF_ERROR(Rewrite(graph, node, OpKind::kHardSigmoid, {data}, std::move(attributes)));
    return true;
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kDiv, OpKind::kMul};
};

bool IsHardSwishGate(const Node* gate) {
  return gate != nullptr && std::abs(gate->attributes.Float("alpha", 0.2f) - 1.0f / 6) < 1e-5 &&
         gate->attributes.Float("beta", 0.5f) == 0.5f;
}

class HardSwishRule final : public Rule {
 public:
  std::string_view name() const override { return "recognise-hard-swish"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    Value* data = nullptr;
    if (node.kind == OpKind::kMul) {
      for (int side = 0; side < 2 && data == nullptr; ++side) {
        const Node* gate = ProducerOf(node.input(side), OpKind::kHardSigmoid);
        if (IsHardSwishGate(gate) && gate->input(0) == node.input(1 - side)) data = node.input(1 - side);
      }
    }
    // x · Clip(x + 3, 0, 6) first, the division last.
    if (data == nullptr) {
      const Value* product =
          node.kind == OpKind::kDiv ? OperandOf(&node, OpKind::kDiv, 6) : OperandOf(&node, OpKind::kMul, 1.0 / 6);
      const Node* inner = product != nullptr ? ProducerOf(product, OpKind::kMul) : nullptr;
      for (int side = 0; inner != nullptr && side < 2 && data == nullptr; ++side) {
        Value* candidate = inner->input(1 - side);
        if (ReluSixOfPlusThree(inner->input(side)) == candidate) data = candidate;
      }
    }
    if (data == nullptr || !SameShape(data, node.output())) return false;
    RETURN_IF_ERROR(Rewrite(graph, node, OpKind::kHardSwish, {data}, {}));
    return true;
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kMul, OpKind::kDiv};
};

class SwishRule final : public Rule {
 public:
  std::string_view name() const override { return "recognise-swish"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    for (int side = 0; side < 2; ++side) {
      const Node* gate = SoleProducer(graph, node.input(side), OpKind::kSigmoid);
      if (gate == nullptr || gate->input(0) != node.input(1 - side)) continue;
      RETURN_IF_ERROR(Rewrite(graph, node, OpKind::kSwish, {gate->input(0)}, {}));
      return true;
    }
    return false;
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kMul};
};

// The gate 1 + erf(x / √2), or 1 + tanh(√(2/π) (x + 0.044715 x³)): its x, and which it is.
std::pair<Value*, std::string> GeluGate(const Value* value) {
  if (value == nullptr || value->producer == nullptr) return {};
  const Value* inner = OperandOf(value->producer, OpKind::kAdd, 1);
  if (inner == nullptr || inner->producer == nullptr) return {};
  if (const Node* erf = ProducerOf(inner, OpKind::kErf)) {
    const Node* scaled = erf->input(0)->producer;
    Value* data = OperandOf(scaled, OpKind::kDiv, std::numbers::sqrt2);
    if (data == nullptr) data = OperandOf(scaled, OpKind::kMul, 1 / std::numbers::sqrt2);
    return {data, "none"};
  }
  const Node* tanh = ProducerOf(inner, OpKind::kTanh);
  if (tanh == nullptr) return {};
  const Value* sum = OperandOf(tanh->input(0)->producer, OpKind::kMul, std::sqrt(2 / std::numbers::pi));
  const Node* add = sum != nullptr ? ProducerOf(sum, OpKind::kAdd) : nullptr;
  if (add == nullptr) return {};
  for (int side = 0; side < 2; ++side) {
    const Node* cubic = ProducerOf(add->input(side), OpKind::kMul);
    const Value* cube = OperandOf(cubic, OpKind::kMul, 0.044715);
    const Node* power = cube != nullptr ? cube->producer : nullptr;
    if (power == nullptr) continue;
    Value* data = OperandOf(power, OpKind::kPow, 3);
    if (data == nullptr && power->kind == OpKind::kMul) {
      for (int at = 0; at < 2; ++at) {
        const Node* square = ProducerOf(power->input(at), OpKind::kMul);
        if (square != nullptr && square->input(0) == square->input(1) && square->input(0) == power->input(1 - at))
          data = square->input(0);
      }
    }
    if (data != nullptr && add->input(1 - side) == data) return {data, "tanh"};
  }
  return {};
}

class GeluRule final : public Rule {
 public:
  std::string_view name() const override { return "recognise-gelu"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    // Three factors: x, 1/2 and the gate, multiplied in any order.
    for (int side = 0; side < 2; ++side) {
      const Value* left = node.input(side);
      Value* right = node.input(1 - side);
      // (x · gate) · 1/2
      if (IsScalar(left, 0.5)) {
        const Node* product = ProducerOf(right, OpKind::kMul);
        for (int at = 0; product != nullptr && at < 2; ++at) {
          const auto [data, form] = GeluGate(product->input(at));
          if (data != nullptr && product->input(1 - at) == data) return Become(graph, node, data, form);
        }
      }
      const auto [data, form] = GeluGate(left);
      // (x · 1/2) · gate
      if (data != nullptr && OperandOf(right->producer, OpKind::kMul, 0.5) == data)
        return Become(graph, node, data, form);
      // x · (gate · 1/2)
      const Value* half = left->producer != nullptr ? OperandOf(left->producer, OpKind::kMul, 0.5) : nullptr;
      const auto [inner, inner_form] = GeluGate(half);
      if (inner != nullptr && inner == right) return Become(graph, node, inner, inner_form);
    }
    return false;
  }

 private:
  static absl::StatusOr<bool> Become(Graph& graph, Node& node, Value* data, const std::string& form) {
    if (!SameShape(data, node.output())) return false;
    Attributes attributes;
    attributes.Set("approximate", form);
    RETURN_IF_ERROR(Rewrite(graph, node, OpKind::kGelu, {data}, std::move(attributes)));
    return true;
  }
  static constexpr OpKind kKinds[] = {OpKind::kMul};
};

}  // namespace

std::unique_ptr<Rule> RecogniseHardSigmoid() { return std::make_unique<HardSigmoidRule>(); }
std::unique_ptr<Rule> RecogniseHardSwish() { return std::make_unique<HardSwishRule>(); }
std::unique_ptr<Rule> RecogniseSwish() { return std::make_unique<SwishRule>(); }
std::unique_ptr<Rule> RecogniseGelu() { return std::make_unique<GeluRule>(); }

}  // namespace slipway::fuse
