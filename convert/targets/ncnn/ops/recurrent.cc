// LSTM, GRU and RNN, a layer each: of one sample, over any number of steps.
#include <algorithm>
#include <cctype>

#include "common/base/error.h"
#include "convert/targets/ncnn/ops/ops.h"
#include "convert/targets/target.h"

namespace slipway::ncnn {
namespace {

using enum OpKind;

int64_t GatesOf(OpKind kind) { return kind == kLSTM ? 4 : kind == kGRU ? 3 : 1; }

// ONNX's gate at each of NCNN's places. LSTM: input, forget, output, cell of i, o, f, c; GRU: reset, update, new of z, r, h.
std::vector<int64_t> GateOrder(OpKind kind) {
  if (kind == kLSTM) return {0, 2, 1, 3};
  if (kind == kGRU) return {1, 0, 2};
  return {0};
}

bool HasOwnActivations(const Node& node) {
  const auto given = node.attributes.all().find("activations");
  if (given == node.attributes.all().end()) return false;
  const auto* names = std::get_if<std::vector<std::string>>(&given->second);
  if (names == nullptr) return true;
  const size_t each = node.kind == kLSTM ? 3 : node.kind == kGRU ? 2 : 1;
  for (size_t i = 0; i < names->size(); ++i) {
    std::string name = (*names)[i];
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    if (name != (i % each == 0 && node.kind != kRNN ? "sigmoid" : "tanh")) return true;
  }
  return false;
}

// Rows of [directions, gates · hidden, columns] in NCNN's order.
Tensor Ordered(const Tensor& tensor, OpKind kind, int64_t hidden) {
  const int64_t directions = tensor.shape()[0], columns = tensor.rank() > 2 ? tensor.shape()[2] : 1;
  const std::vector<float> values = tensor.ToFloats();
  std::vector<float> ordered;
  ordered.reserve(values.size());
  for (int64_t d = 0; d < directions; ++d) {
    for (const int64_t gate : GateOrder(kind)) {
      const auto begin = values.begin() + (d * GatesOf(kind) + gate) * hidden * columns;
      ordered.insert(ordered.end(), begin, begin + hidden * columns);
    }
  }
  return Tensor::From(tensor.shape(), ordered);
}

// [directions, gates (GRU: one more), hidden]: the sums of both biases, but of GRU's new gate, whose second is reset with the state.
Tensor Biases(const Node& node, int64_t directions, int64_t hidden) {
  const int64_t gates = GatesOf(node.kind), rows = node.kind == kGRU ? 4 : gates;
  std::vector<float> sums(static_cast<size_t>(directions * rows * hidden), 0.0f);
  if (node.constant(3) == nullptr) return Tensor::From({directions, rows, hidden}, sums);
  const std::vector<float> both = node.constant(3)->ToFloats();
  const std::vector<int64_t> order = GateOrder(node.kind);
  for (int64_t d = 0; d < directions; ++d) {
    for (int64_t row = 0; row < gates; ++row) {
      for (int64_t i = 0; i < hidden; ++i) {
        const int64_t gate = order[static_cast<size_t>(row)];
        const float input = both[static_cast<size_t>((d * 2 * gates + gate) * hidden + i)];
        const float state = both[static_cast<size_t>((d * 2 * gates + gates + gate) * hidden + i)];
        const auto at = static_cast<size_t>((d * rows + row) * hidden + i);
        if (node.kind == kGRU && row == 2) {
          sums[at] = input;
          sums[at + static_cast<size_t>(hidden)] = state;
        } else {
          sums[at] = input + state;
        }
      }
    }
  }
  return Tensor::From({directions, rows, hidden}, sums);
}

absl::Status Check(const Node& node) {
  const Value* x = node.input(0);
  const Attributes& a = node.attributes;
  if (node.constant(1) == nullptr || node.constant(2) == nullptr ||
      (node.input(3) != nullptr && node.constant(3) == nullptr))
    return Unsupported(node, "computed weights", "NCNN takes them as constants");
  if (x->rank() != 3 || !((*x->shape)[1] == Dim(1)))
    return Unsupported(node, "several samples", "an NCNN blob holds one; fix the batch to 1 with --shape");
  if (node.input(4) != nullptr || node.input(7) != nullptr || a.Has("clip") || a.Int("input_forget", 0) != 0 ||
      a.Int("layout", 0) != 0)
    return Unsupported(node, "sequence lengths, peepholes, clipping, coupled gates or a batch-major layout",
                       "export the model without them");
  if (HasOwnActivations(node)) return Unsupported(node, "activations of its own", "NCNN has sigmoid and tanh");
  if (node.kind == kGRU && a.Int("linear_before_reset", 0) == 0)
    return Unsupported(node, "a reset before the product",
                       "NCNN resets after it; fix the number of steps with --shape");
  if (node.kind == kLSTM && (node.input(5) == nullptr) != (node.input(6) == nullptr))
    return Unsupported(node, "one of two initial states", "give both, or none");
  return absl::OkStatus();
}

absl::Status Emit(const Node& node, Emitter& emitter) {
  const Value* x = node.input(0);
  const Tensor &weights = *node.constant(1), &recurrence = *node.constant(2);
  const int64_t directions = weights.shape()[0], hidden = recurrence.shape().back();
  const std::string way = node.attributes.String("direction", "forward");
  const Dim steps = (*x->shape)[0];
  std::vector<std::string> inputs, outputs;
  ASSIGN_OR_RETURN(inputs.emplace_back(), emitter.Read({x, Shape{steps, (*x->shape)[2]}}, node));
  for (const size_t state : {5, 6}) {
    if (node.input(state) == nullptr) continue;
    ASSIGN_OR_RETURN(inputs.emplace_back(),
                     emitter.Read({node.input(state), Shape{Dim(directions), Dim(hidden)}}, node));
  }
  // All states come out where one does.
  const size_t states = node.kind == kLSTM ? 2 : 1;
  const bool wants_states = node.output(1) != nullptr || node.output(2) != nullptr || inputs.size() > 1;
  std::vector<Shape> shapes = {Shape{steps, Dim(directions * hidden)}};
  if (wants_states) shapes.insert(shapes.end(), states, Shape{Dim(directions), Dim(hidden)});
  for (size_t i = 0; i < shapes.size(); ++i) {
    const Value* output = node.output(i);
    outputs.push_back(output != nullptr && BlobShape(*output) == shapes[i] ? emitter.Name(output)
                                                                           : emitter.Temporary(node));
  }
  Params params = {{0, hidden},
                   {1, weights.size()},
                   {2, int64_t{way == "bidirectional" ? 2
                               : way == "reverse"     ? 1
                                                      : 0}}};
  if (node.kind == kLSTM) params.emplace_back(3, hidden);
  emitter.Add(node.kind == kLSTM  ? "LSTM"
              : node.kind == kGRU ? "GRU"
                                  : "RNN",
              node, inputs, outputs, params,
              {Tagged(Ordered(weights, node.kind, hidden)), Tagged(Biases(node, directions, hidden)),
               Tagged(Ordered(recurrence, node.kind, hidden))});
  for (size_t i = 0; i < shapes.size(); ++i) {
    const Value* output = node.output(i);
    if (output != nullptr && !(BlobShape(*output) == shapes[i]))
      RETURN_IF_ERROR(emitter.Reshape(node, outputs[i], shapes[i], output));
  }
  return absl::OkStatus();
}

}  // namespace

bool IsRecurrentLayer(const Node& node) { return Check(node).ok(); }

std::span<const OpEmitter> RecurrentOps() {
  static constexpr OpEmitter kOps[] = {
      {kLSTM, Check, Emit, true}, {kGRU, Check, Emit, true}, {kRNN, Check, Emit, true}};
  return kOps;
}

}  // namespace slipway::ncnn
