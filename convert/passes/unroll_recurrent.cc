#include "convert/passes/unroll_recurrent.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "common/base/error.h"
#include "convert/passes/steps.h"

namespace slipway {
namespace {

using enum OpKind;

constexpr int64_t kMostSteps = 512;

// Rows [begin, begin + count) of a tensor of float32.
Tensor Rows(const Tensor& tensor, int64_t begin, int64_t count) {
  std::vector<int64_t> shape = tensor.shape();
  int64_t row = 1;
  for (size_t i = 1; i < shape.size(); ++i) row *= shape[i];
  shape[0] = count;
  const std::vector<float> values = tensor.ToFloats();
  return Tensor::From(shape, std::vector<float>(values.begin() + begin * row, values.begin() + (begin + count) * row));
}

// One direction of a recurrent op.
struct Direction {
  Tensor weights;                                             // [gates · H, I]
  Value *recurrence = nullptr, *recurrence_of_new = nullptr;  // [gates · H, H]; GRU: [2 · H, H] and [H, H]
  std::vector<float> input_bias, bias;                        // [gates · H] each
  Value *hidden = nullptr, *cell = nullptr;                   // [N, H]; nullptr: zeros
  std::array<OpKind, 3> activations{};
  bool backwards = false;
};
struct States {
  Value *hidden = nullptr, *cell = nullptr;
};

class Unroller {
 public:
  Unroller(Steps& steps, OpKind kind, int64_t hidden, bool resets_after)
      : s_(steps), kind_(kind), hidden_(hidden), resets_after_(resets_after) {}

  // The hidden state after each step, in the data's order; `last` receives the states in the end.
  std::vector<Value*> Run(Value* x, int64_t steps, const Direction& d, States& last) {
    const int64_t gates = d.weights.shape()[0];
    // All steps' inputs at once: [T · N, I] → [T, N, gates].
    std::vector<float> bias = d.input_bias;
    // A reset that comes after the product has the hidden gate's second bias within.
    AddTo(bias, d.bias, kind_ == kGRU && resets_after_ ? static_cast<size_t>(2 * hidden_) : bias.size());
    Value* rows = s_.Reshape(x, {-1, d.weights.shape()[1]});
    Value* inputs = s_.Reshape(Product(rows, s_.Constant(d.weights), bias), {steps, -1, gates});
    States state{d.hidden, d.cell};
    std::vector<Value*> hidden(static_cast<size_t>(steps));
    for (int64_t i = 0; i < steps; ++i) {
      const int64_t at = d.backwards ? steps - 1 - i : i;
      Value* input = s_.Reshape(s_.Slice(inputs, 0, at, at + 1), {-1, gates});
      state = kind_ == kLSTM  ? LstmStep(input, state, d)
              : kind_ == kGRU ? GruStep(input, state, d)
                              : RnnStep(input, state, d);
      hidden[static_cast<size_t>(at)] = state.hidden;
    }
    last = state;
    return hidden;
  }

 private:
  static void AddTo(std::vector<float>& sum, const std::vector<float>& other, size_t count) {
    for (size_t i = 0; i < count; ++i) sum[i] += other[i];
  }
  Value* Product(Value* rows, Value* weights, const std::vector<float>& bias) {
    std::vector<Value*> operands = {rows, weights};
    if (!bias.empty()) operands.push_back(s_.Constant(Tensor::Float32s(bias)));
    return s_.Op(kGemm, operands, Steps::With("transB", int64_t{1}));
  }
  Value* Gate(Value* gates, int64_t which) { return s_.Slice(gates, 1, which * hidden_, (which + 1) * hidden_); }
  Value* Mul(Value* a, Value* b) { return s_.Op(kMul, {a, b}); }

  // Gates in ONNX's order: input, output, forget, cell.
  States LstmStep(Value* gates, const States& before, const Direction& d) {
    if (before.hidden != nullptr) gates = s_.Op(kAdd, {gates, Product(before.hidden, d.recurrence, {})});
    const auto gate = [&](int64_t which) { return s_.Op(d.activations[0], {Gate(gates, which)}); };
    Value* cell = Mul(gate(0), s_.Op(d.activations[1], {Gate(gates, 3)}));
    if (before.cell != nullptr) cell = s_.Op(kAdd, {cell, Mul(gate(2), before.cell)});
    return {Mul(gate(1), s_.Op(d.activations[2], {cell})), cell};
  }

  // Gates in ONNX's order: update, reset, hidden.
  States GruStep(Value* inputs, const States& before, const Direction& d) {
    Value* update = Gate(inputs, 0);
    Value* reset = Gate(inputs, 1);
    Value* fresh = Gate(inputs, 2);
    const std::vector<float> hidden_bias(d.bias.begin() + 2 * hidden_, d.bias.end());
    if (before.hidden == nullptr) {
      update = s_.Op(d.activations[0], {update});
      if (resets_after_) {
        Value* from_zero = Mul(s_.Op(d.activations[0], {reset}), s_.Constant(Tensor::Float32s(hidden_bias)));
        fresh = s_.Op(kAdd, {fresh, from_zero});
      }
      fresh = s_.Op(d.activations[1], {fresh});
      return {Mul(s_.Op(kSub, {s_.Number(1), update}), fresh), nullptr};
    }
    Value* both = Product(before.hidden, d.recurrence, {});
    update = s_.Op(d.activations[0], {s_.Op(kAdd, {update, Gate(both, 0)})});
    reset = s_.Op(d.activations[0], {s_.Op(kAdd, {reset, Gate(both, 1)})});
    Value* recalled = resets_after_ ? Mul(reset, Product(before.hidden, d.recurrence_of_new, hidden_bias))
                                    : Product(Mul(reset, before.hidden), d.recurrence_of_new, {});
    fresh = s_.Op(d.activations[1], {s_.Op(kAdd, {fresh, recalled})});
    Value* kept = Mul(update, s_.Op(kSub, {before.hidden, fresh}));
    return {s_.Op(kAdd, {fresh, kept}), nullptr};
  }

  States RnnStep(Value* input, const States& before, const Direction& d) {
    if (before.hidden != nullptr) input = s_.Op(kAdd, {input, Product(before.hidden, d.recurrence, {})});
    return {s_.Op(d.activations[0], {input}), nullptr};
  }

  Steps& s_;
  const OpKind kind_;
  const int64_t hidden_;
  const bool resets_after_;
};

int64_t GatesOf(OpKind kind) { return kind == kLSTM ? 4 : kind == kGRU ? 3 : 1; }

// Of each direction: sigmoid, tanh and tanh unless the node says otherwise. nullopt for functions with parameters of their own.
std::optional<std::vector<std::array<OpKind, 3>>> ActivationsOf(const Node& node, size_t directions) {
  const size_t count = node.kind == kLSTM ? 3 : node.kind == kGRU ? 2 : 1;
  std::vector<std::string> names;
  if (const auto given = node.attributes.all().find("activations"); given != node.attributes.all().end()) {
    const auto* listed = std::get_if<std::vector<std::string>>(&given->second);
    if (listed == nullptr) return std::nullopt;
    names = *listed;
  }
  std::vector<std::array<OpKind, 3>> result;
  for (size_t direction = 0; direction < directions; ++direction) {
    std::array<OpKind, 3> kinds = {node.kind == kRNN ? kTanh : kSigmoid, kTanh, kTanh};
    for (size_t i = 0; i < count && !names.empty(); ++i) {
      if (direction * count + i >= names.size()) return std::nullopt;
      std::string name = names[direction * count + i];
      std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
      if (name != "sigmoid" && name != "tanh" && name != "relu") return std::nullopt;
      kinds[i] = name == "sigmoid" ? kSigmoid : name == "tanh" ? kTanh : kRelu;
    }
    result.push_back(kinds);
  }
  return result;
}

class UnrollRecurrent final : public Rule {
 public:
  UnrollRecurrent(int64_t most_weights, bool (*stays)(const Node&)) : most_weights_(most_weights), stays_(stays) {}
  std::string_view name() const override { return "unroll-recurrent"; }
  std::span<const OpKind> kinds() const override { return kKinds; }
  absl::StatusOr<bool> Apply(Graph& graph, Node& node) const override {
    Value* x = node.input(0);
    if (stays_(node)) return false;
    if (x->rank() != 3 || x->type != DataType::kFloat32 || !(*x->shape)[0].IsKnown() || node.constant(1) == nullptr ||
        node.constant(2) == nullptr || (node.input(3) != nullptr && node.constant(3) == nullptr))
      return false;
    const Attributes& a = node.attributes;
    if (node.input(4) != nullptr || node.input(7) != nullptr || a.Has("clip") || a.Int("input_forget", 0) != 0 ||
        a.Int("layout", 0) != 0)
      return false;
    const Tensor &weights = *node.constant(1), &recurrence = *node.constant(2);
    const int64_t steps = (*x->shape)[0].value(), hidden = recurrence.shape().back(), gates = GatesOf(node.kind);
    const auto directions = static_cast<size_t>(weights.shape()[0]);
    const std::string way = a.String("direction", "forward");
    const auto activations = ActivationsOf(node, directions);
    if (steps < 1 || steps > kMostSteps || recurrence.size() > most_weights_ / steps || !activations ||
        node.outputs.empty())
      return false;
    const Value* any = *std::ranges::find_if(node.outputs, [](const Value* output) { return output != nullptr; });
    Steps s(graph, node, any->name);
    Unroller unroller(s, node.kind, hidden, a.Int("linear_before_reset", 0) != 0);
    std::vector<std::vector<Value*>> all;
    std::vector<States> ends;
    for (size_t i = 0; i < directions; ++i) {
      const auto at = static_cast<int64_t>(i);
      Direction d;
      d.weights = Rows(weights, at, 1).Reshaped({gates * hidden, weights.shape().back()});
      const Tensor recalled = Rows(recurrence, at, 1).Reshaped({gates * hidden, hidden});
      d.recurrence = s.Constant(node.kind == kGRU ? Rows(recalled, 0, 2 * hidden) : recalled);
      if (node.kind == kGRU) d.recurrence_of_new = s.Constant(Rows(recalled, 2 * hidden, hidden));
      const auto width = static_cast<size_t>(gates * hidden);
      d.input_bias = d.bias = std::vector<float>(width, 0.0f);
      if (node.constant(3) != nullptr) {
        const std::vector<float> both = Rows(*node.constant(3), at, 1).ToFloats();
        d.input_bias.assign(both.begin(), both.begin() + static_cast<int64_t>(width));
        d.bias.assign(both.begin() + static_cast<int64_t>(width), both.end());
      }
      const auto initial = [&](size_t input) -> Value* {
        if (node.input(input) == nullptr) return nullptr;
        return s.Reshape(s.Slice(node.input(input), 0, at, at + 1), {-1, hidden});
      };
      d.hidden = initial(5);
      if (node.kind == kLSTM) d.cell = initial(6);
      d.activations = (*activations)[i];
      d.backwards = way == "reverse" || i == 1;
      ends.emplace_back();
      all.push_back(unroller.Run(x, steps, d, ends.back()));
    }
    // Results: [T, D, N, H], [D, N, H], [D, N, H].
    const auto stacked = [&](const std::vector<Value*>& values, int64_t axis) {
      std::vector<Value*> lifted;
      for (Value* value : values) lifted.push_back(s.Op(kUnsqueeze, {value, s.Ints({axis})}));
      return lifted.size() == 1 ? lifted[0] : s.Op(kConcat, lifted, Steps::With("axis", axis));
    };
    std::vector<std::pair<Value*, Value*>> results;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == nullptr) continue;
      std::vector<Value*> of_directions;
      for (size_t k = 0; k < directions; ++k)
        of_directions.push_back(i == 0 ? stacked(all[k], 0) : i == 1 ? ends[k].hidden : ends[k].cell);
      results.emplace_back(node.outputs[i], stacked(of_directions, i == 0 ? 1 : 0));
    }
    return s.Replace(results);
  }

 private:
  static constexpr OpKind kKinds[] = {OpKind::kLSTM, OpKind::kGRU, OpKind::kRNN};
  const int64_t most_weights_;
  bool (*const stays_)(const Node&);
};

}  // namespace

std::unique_ptr<Rule> MakeUnrollRecurrent(int64_t most_weights, bool (*stays)(const Node&)) {
  return std::make_unique<UnrollRecurrent>(most_weights, stays);
}

}  // namespace slipway
